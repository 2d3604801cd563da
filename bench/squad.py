"""The reader on SQuAD 2.0's development set, by the official measure (Rajpurkar et al., ACL 2018).

    python bench/squad.py READER [--data DIR] [--questions N]

READER is a folder that training/export.py wrote. Prints F1 and exact match over all questions where those
without an answer are told at the reader's own threshold (probability .5), by kind, and at the threshold
that suits this set best; AUROC of the probability; and the time of a question. --questions takes a sample.
"""

import argparse
import json
import os
import re
import string
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from indexer.reader import Reader

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class Result:
    """A question read: how right the best span is, had it to be given, and how sure the reader is."""

    has_answer: bool
    f1: float
    exact: float
    answerable: float
    score: float


def normalised(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def f1(found: str, answer: str) -> float:
    """Harmonic mean of precision and recall of the words; both empty counts 1."""
    ours, theirs = normalised(found), normalised(answer)
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def read(reader: Reader, path: Path, limit: int | None) -> tuple[list[Result], float]:
    """Every question's result, and the mean milliseconds of one."""
    questions = [
        (qa, paragraph["context"])
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    ]
    if limit is not None:
        questions = Random(1).sample(questions, limit)  # noqa: S311
    results = []
    started = time.perf_counter()
    for qa, context in questions:
        reading = reader.read(qa["question"], [context])[0]
        found = context[reading.span.start : reading.span.end]
        answers = [answer["text"] for answer in qa["answers"] if normalised(answer["text"])]
        results.append(
            Result(
                bool(answers),
                max((f1(found, answer) for answer in answers), default=0.0),
                max((float(normalised(found) == normalised(answer)) for answer in answers), default=0.0),
                reading.answerable,
                reading.score,
            )
        )
    return results, (time.perf_counter() - started) * 1000 / len(questions)


def auroc(sure: list[float], unsure: list[float]) -> float:
    """The share of pairs in the right order, equal ones by half."""
    ordered = np.sort(np.array(unsure))
    below = np.searchsorted(ordered, sure, "left") + np.searchsorted(ordered, sure, "right")
    return float(below.mean() / 2 / len(ordered))


def at(threshold: float, results: list[Result], measure: str) -> float:
    """The mean where an answer is given above the threshold, and silence is right for the unanswerable."""
    return float(
        np.mean(
            [
                getattr(one, measure) if one.answerable > threshold else float(not one.has_answer)
                for one in results
            ]
        )
    )


def best_f1(results: list[Result]) -> tuple[float, float]:
    """The best F1 that any threshold gives, and that threshold."""
    falling = sorted(results, key=lambda one: -one.answerable)
    total = best = float(sum(not one.has_answer for one in results))
    threshold = 1.0
    for one in falling:
        total += one.f1 if one.has_answer else -1.0
        if total > best:
            best, threshold = total, one.answerable
    return best / len(results), threshold


def report(results: list[Result], took_ms: float) -> None:
    has, no = ([one for one in results if one.has_answer is kind] for kind in (True, False))
    best, threshold = best_f1(results)
    print(f"{len(results)} questions, {took_ms:.1f} ms each")
    print(f"at .5: F1 {at(0.5, results, 'f1'):.4f}, exact {at(0.5, results, 'exact'):.4f}", end="; ")
    print(f"with answer F1 {at(0.5, has, 'f1'):.4f}, exact {at(0.5, has, 'exact'):.4f}", end="; ")
    print(f"without {at(0.5, no, 'f1'):.4f}")
    print(f"best F1 {best:.4f} at {threshold:.3f}; answers always: F1 with answer {at(-1, has, 'f1'):.4f}")
    for name in ("answerable", "score"):
        sure, unsure = ([getattr(one, name) for one in kind] for kind in (has, no))
        print(f"AUROC of {name} {auroc(sure, unsure):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("reader", type=Path)
    parser.add_argument("--data", type=Path, default=EVAL)
    parser.add_argument("--questions", type=int)
    arguments = parser.parse_args()
    path = arguments.data / "squad" / "dev-v2.0.json"
    if not path.is_file():
        print(f"squad skipped: {path} is not there")
        return
    report(*read(Reader(arguments.reader), path, arguments.questions))


if __name__ == "__main__":
    main()
