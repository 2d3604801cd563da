"""Retrieval quality on judged collections, indexed and searched through the product's own code.

    python bench/retrieval.py [--data DIR] [--work DIR] [NAME…]

Each collection is a folder in BEIR layout. Prints nDCG@10, R@100 and MRR@10 (ir_measures, an
unanswered question counts 0) for each mode of search, best passage per article, and the time of a
question. Indexes are kept under --work, so that a second run encodes nothing.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import ir_measures
from ir_measures import RR, Qrel, R, ScoredDoc, nDCG

from indexer.build import Change, Recipe, build
from indexer.folder import IndexFolder
from indexer.generation import Generation, open_best
from indexer.progress import Plain
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from service.retrieval import Mode, SearchQuery, search

MEASURES = [nDCG @ 10, R @ 100, RR @ 10]
COLLECTIONS = ["newsquiz", "time", "scifact"]


def default_data() -> Path:
    return Path(os.environ.get("DATELINE_EVAL", Path(__file__).resolve().parents[2] / "shared" / "eval"))


def judged(folder: Path) -> tuple[list[Qrel], dict[str, str]]:
    """The judgments, and the texts of the questions that have any."""
    qrels = []
    for line in (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query_id, article_id, relevance = line.split("\t")
        qrels.append(Qrel(query_id, article_id, int(relevance)))
    wanted = {qrel.query_id for qrel in qrels}
    with (folder / "queries.jsonl").open(encoding="utf-8") as lines:
        records = map(json.loads, lines)
        return qrels, {record["_id"]: record["text"] for record in records if record["_id"] in wanted}


def index(folder: Path, work: Path, *, passage_tokens: int) -> Generation:
    """The collection's index under `work`, built where nothing is there or the recipe changed."""
    target = IndexFolder(work / folder.name)
    build(
        target,
        Change(from_current=False, offer=Offer((folder / "corpus.jsonl",))),
        Recipe(DEFAULT_MODEL, passage_tokens, 2),
        Intake(),
        Plain(sys.stderr),
        keep=1,
        command="bench/retrieval.py",
    )
    return open_best(target, sys.exit)


def measure(
    generation: Generation, qrels: list[Qrel], questions: dict[str, str], mode: Mode
) -> tuple[dict[str, float], float]:
    """Every measure's mean over all questions, and the median milliseconds of a question."""
    times = []

    def run() -> Iterator[ScoredDoc]:
        for query_id, text in questions.items():
            started = time.perf_counter()
            hits = search(generation, SearchQuery(text, limit=100, mode=mode, collapse=False)).hits
            times.append((time.perf_counter() - started) * 1000)
            for rank, hit in enumerate(hits):
                # Ranks, not scores: the order of equal scores is part of the result.
                yield ScoredDoc(query_id, hit.article.id, -rank)

    means = ir_measures.calc_aggregate(MEASURES, qrels, run())
    return {str(measure): value for measure, value in means.items()}, statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", default=COLLECTIONS)
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--work", type=Path, default=Path("index-bench"))
    parser.add_argument("--passage-tokens", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{'collection':12} {'mode':8} " + " ".join(f"{measure!s:>8}" for measure in MEASURES) + "  p50 ms")
    for name in arguments.names:
        folder = arguments.data / name
        if not folder.is_dir():
            print(f"{name:12} skipped: {folder} is not there")
            continue
        qrels, questions = judged(folder)
        with index(folder, arguments.work, passage_tokens=arguments.passage_tokens) as generation:
            for mode in get_args(Mode):
                means, p50 = measure(generation, qrels, questions, mode)
                row = " ".join(f"{means[str(measure)]:8.4f}" for measure in MEASURES)
                print(f"{name:12} {mode:8} {row}  {p50:6.1f}", flush=True)


if __name__ == "__main__":
    main()
