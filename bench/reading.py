"""Answer quality with the reader: is the answer in the sentence that its span stands in?

    python bench/reading.py READER [--data DIR] [--work DIR]

As bench/answers.py asks newsquiz: the six best passages of every question, with titles, and again without
the articles judged to answer it. Passages are ordered by the reader's score and that of the search; prints
how often the answer's words stand in the first and in any of the three best sentences, for the reader
alone and for several weights of the search, and AUROC of the surest passage's probability.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from answers import PASSAGES, _found, _holds
from retrieval import default_data, index, judged
from squad import auroc

from indexer.passages import sentences
from indexer.reader import Reader, Reading
from service.retrieval import Hit

WEIGHTS = (0.0, 2.0, 4.0, 8.0, 16.0)  # of the search's score beside the reader's logits
TITLE = 150
HALF = 0.5


@dataclass(frozen=True)
class Asked:
    """A question's passages and what was read in them; `answers` is empty where it has none."""

    answers: list[str]
    hits: list[Hit]
    readings: list[Reading]


def ask(reader: Reader, question: str, answers: list[str], hits: list[Hit]) -> Asked:
    texts = [hit.passage.text for hit in hits]
    titles = [hit.article.title[:TITLE] for hit in hits]
    return Asked(answers, hits, reader.read(question, texts, titles=titles))


def chosen(asked: Asked, weight: float) -> list[str]:
    """The sentences around the spans, the best first, each once."""
    order = np.argsort(
        [-(r.score + weight * hit.score) for hit, r in zip(asked.hits, asked.readings, strict=True)]
    )
    found: list[str] = []
    for at in order:
        text, span = asked.hits[at].passage.text, asked.readings[at].span
        places = sentences(text, asked.hits[at].article.language)
        touched = [one for one in places if one.start < span.end and span.start < one.end]
        if touched and (sentence := text[touched[0].start : touched[-1].end]) not in found:
            found.append(sentence)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", type=Path)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--work", type=Path, default=Path("index-bench"))
    arguments = parser.parse_args()
    folder = arguments.data / "newsquiz"
    if not folder.is_dir():
        print(f"newsquiz skipped: {folder} is not there")
        return
    reader = Reader(arguments.reader)
    qrels, questions = judged(folder)
    gold = {(qrel.query_id, qrel.doc_id) for qrel in qrels}
    records = map(json.loads, (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines())
    answers = {record["_id"]: record["answer"] for record in records}
    answerable, silent = [], []
    times = []
    with index(folder, arguments.work, passage_tokens=200) as generation:
        for query_id, question in questions.items():
            hits = _found(generation, question, 5 * PASSAGES)
            started = time.perf_counter()
            answerable.append(ask(reader, question, answers[query_id], hits[:PASSAGES]))
            times.append((time.perf_counter() - started) * 1000)
            others = [hit for hit in hits if (query_id, hit.article.id) not in gold][:PASSAGES]
            if not any(_holds(hit.passage.text, answers[query_id]) for hit in others):
                silent.append(ask(reader, question, [], others))
    for weight in WEIGHTS:
        found = [(chosen(one, weight), one.answers) for one in answerable]
        first = np.mean([_holds(texts[0], right) for texts, right in found])
        three = np.mean([any(_holds(text, right) for text in texts[:3]) for texts, right in found])
        print(f"search weighs {weight:4.1f}: answer in the first sentence {first:.3f}, in three {three:.3f}")
    sure, unsure = (
        [max((reading.answerable for reading in one.readings), default=0.0) for one in kind]
        for kind in (answerable, silent)
    )
    print(
        f"{len(answerable)} answerable, {len(silent)} not: AUROC {auroc(sure, unsure):.3f}; at .5 answered "
        f"{np.mean(np.array(sure) > HALF):.3f} and {np.mean(np.array(unsure) > HALF):.3f}; "
        f"{np.median(times):.0f} ms a question (median)"
    )


if __name__ == "__main__":
    main()
