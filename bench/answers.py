"""Answer quality: is the right sentence quoted, and is there silence where there is no answer?

    python bench/answers.py [--data DIR] [--work DIR] [--fit]

Two sets: the judged questions over seeds/ (tests/quality/questions.jsonl), and, where it is present,
newsquiz, whose answerable questions become unanswerable by taking out the articles judged to answer them
(and those questions left out whose answer still stands in what is then found). Prints how often the
answer's words stand in the first and in any quoted sentence, AUROC of the confidence, and the shares
answered at the default threshold. --fit prints the coefficients of service/answering.py's `confidence`.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from retrieval import default_data, index, judged

from indexer.build import Change, Recipe, build
from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from indexer.progress import Plain
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from service.answering import Candidate, choose, confidence, weigh
from service.retrieval import Hit, SearchQuery, search
from service.settings import Settings

PASSAGES = 6
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Try:
    """One question and what is found for it; `answers` is empty where it has none."""

    answers: list[str]
    candidates: list[Candidate]


def seeds(work: Path) -> Iterator[Try]:
    target = IndexFolder(work / "seeds")
    change = Change(from_current=False, offer=Offer((ROOT / "seeds",)))
    recipe = Recipe(DEFAULT_MODEL, 200, 2)
    build(target, change, recipe, Intake(), Plain(sys.stderr), keep=1, command="bench/answers.py")
    with open_best(target, sys.exit) as generation:
        for line in (ROOT / "tests" / "quality" / "questions.jsonl").read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            hits = _found(generation, record["question"], PASSAGES)
            answers = [record["answer"]] if record["answer"] else []
            yield Try(answers, weigh(generation, record["question"], hits))


def newsquiz(folder: Path, work: Path) -> Iterator[Try]:
    qrels, questions = judged(folder)
    gold = {(qrel.query_id, qrel.doc_id) for qrel in qrels}
    answers = {}
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        answers[record["_id"]] = record["answer"]
    with index(folder, work, passage_tokens=200) as generation:
        for query_id, question in questions.items():
            hits = _found(generation, question, 5 * PASSAGES)
            yield Try(answers[query_id], weigh(generation, question, hits[:PASSAGES]))
            others = [hit for hit in hits if (query_id, hit.article.id) not in gold][:PASSAGES]
            if not any(_holds(hit.passage.text, answers[query_id]) for hit in others):
                yield Try([], weigh(generation, question, others))


def _found(generation: Generation, question: str, limit: int) -> list[Hit]:
    return search(generation, SearchQuery(question, limit=limit, group_by="passage")).hits


def _holds(text: str, answers: list[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in answers)


def report(name: str, tries: list[Try]) -> None:
    answerable = [one for one in tries if one.answers]
    silent = [one for one in tries if not one.answers]
    first = np.mean([_holds(one.candidates[0].text, one.answers) for one in answerable])
    quoted = np.mean(
        [
            any(_holds(candidate.text, one.answers) for candidate in choose(one.candidates))
            for one in answerable
        ]
    )
    sure, unsure = (np.array([confidence(one.candidates) for one in group]) for group in (answerable, silent))
    pairs = sure[:, None] - unsure[None, :]
    auroc = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    threshold = Settings.model_fields["min_confidence"].default
    print(
        f"{name:9} {len(answerable):4} answerable: answer in the first sentence {first:.3f}, in any quoted "
        f"{quoted:.3f}; {len(silent)} without answer: AUROC {auroc:.3f}; at {threshold} answered "
        f"{np.mean(sure >= threshold):.3f} and {np.mean(unsure >= threshold):.3f}"
    )


def fit(sets: list[list[Try]]) -> npt.NDArray[np.float64]:
    """Logistic regression by Newton's method; both kinds weigh alike; a ridge of 1e-4 on the weights."""
    tries = [one for group in sets for one in group]
    features = np.array(
        [
            (
                max((candidate.cosine for candidate in one.candidates), default=0.0),
                max((candidate.passage_overlap for candidate in one.candidates), default=0.0),
                1.0,
            )
            for one in tries
        ]
    )
    is_answerable = np.array([bool(one.answers) for one in tries])
    weights = np.where(is_answerable, 0.5 / is_answerable.sum(), 0.5 / (~is_answerable).sum())
    ridge = np.diag([2e-4, 2e-4, 0.0])
    fitted = np.zeros(3)
    for _ in range(50):
        probability = 1 / (1 + np.exp(-features @ fitted))
        gradient = features.T @ (weights * (probability - is_answerable)) + ridge @ fitted
        hessian = (features.T * (weights * probability * (1 - probability))) @ features + ridge
        fitted = fitted - np.linalg.solve(hessian, gradient)
    return fitted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--work", type=Path, default=Path("index-bench"))
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    sets = {"seeds": list(seeds(arguments.work))}
    folder = arguments.data / "newsquiz"
    if folder.is_dir():
        sets["newsquiz"] = list(newsquiz(folder, arguments.work))
    else:
        print(f"newsquiz skipped: {folder} is not there")
    for name, tries in sets.items():
        report(name, tries)
    if arguments.fit:
        print("cosine, overlap, intercept:", fit(list(sets.values())).round(2))


if __name__ == "__main__":
    main()
