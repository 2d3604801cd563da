"""Answer quality with the reader: is the answer in the sentence that its span stands in?

    python bench/reading.py READER [--data DIR] [--work DIR]

As bench/answers.py asks newsquiz: the six best passages of every question, with titles, and again without
the articles judged to answer it. Sentences are ordered by their four measures and the reader's score;
prints how often the answer's words stand in the first and in any of the three best, for several weights
of the reader, and AUROC of the surest sentence's probability.
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

from indexer.generation import Generation
from indexer.models import Span
from indexer.reader import Reader, Reading
from service.answering import Candidate, weigh
from service.retrieval import Hit

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)  # of the reader beside the four measures of a sentence
SLOPE = 6.0  # logits
TITLE = 150
HALF = 0.5


@dataclass(frozen=True)
class Asked:
    """A question's sentences, each with what was read in it; `answers` is empty where it has none."""

    answers: list[str]
    candidates: list[Candidate]
    readings: list[Reading]
    took_ms: float


def ask(generation: Generation, reader: Reader, question: str, answers: list[str], hits: list[Hit]) -> Asked:
    candidates = weigh(generation, question, hits)
    started = time.perf_counter()
    places: list[list[Span]] = [[] for _ in hits]
    where = []
    numbers = {hit.passage.id: number for number, hit in enumerate(hits)}
    for candidate in candidates:
        number, start = numbers[candidate.hit.passage.id], candidate.hit.passage.start
        where.append((number, len(places[number])))
        places[number].append(Span(candidate.place.start - start, candidate.place.end - start))
    titles = [hit.article.title[:TITLE] for hit in hits]
    found = reader.read_places(question, [hit.passage.text for hit in hits], places, titles=titles)
    readings = [found[number][at] for number, at in where]
    return Asked(answers, candidates, readings, (time.perf_counter() - started) * 1000)


def chosen(asked: Asked, weight: float) -> list[str]:
    """The sentences, the best first; the reader counts by how far it is below its best."""
    best = max((reading.score for reading in asked.readings), default=0.0)
    scores = [
        candidate.score + weight * np.tanh((reading.score - best) / SLOPE)
        for candidate, reading in zip(asked.candidates, asked.readings, strict=True)
    ]
    return [asked.candidates[at].text for at in np.argsort(-np.array(scores), kind="stable")]


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
    with index(folder, arguments.work, passage_tokens=200) as generation:
        for query_id, question in questions.items():
            hits = _found(generation, question, 5 * PASSAGES)
            right = answers[query_id]
            answerable.append(ask(generation, reader, question, right, hits[:PASSAGES]))
            others = [hit for hit in hits if (query_id, hit.article.id) not in gold][:PASSAGES]
            if not any(_holds(hit.passage.text, right) for hit in others):
                silent.append(ask(generation, reader, question, [], others))
    for weight in WEIGHTS:
        found = [(chosen(one, weight), one.answers) for one in answerable]
        first = np.mean([_holds(texts[0], right) for texts, right in found])
        three = np.mean([any(_holds(text, right) for text in texts[:3]) for texts, right in found])
        print(f"reader weighs {weight:3.1f}: answer in the first sentence {first:.3f}, in three {three:.3f}")
    sure, unsure = (
        [max((reading.answerable for reading in one.readings), default=0.0) for one in kind]
        for kind in (answerable, silent)
    )
    print(
        f"{len(answerable)} answerable, {len(silent)} not: AUROC {auroc(sure, unsure):.3f}; at .5 answered "
        f"{np.mean(np.array(sure) > HALF):.3f} and {np.mean(np.array(unsure) > HALF):.3f}; "
        f"{np.median([one.took_ms for one in answerable]):.0f} ms a question (median)"
    )


if __name__ == "__main__":
    main()
