"""Kinds of vector index by size: time of a question, recall, bytes in memory, time to build.

    python bench/vectors.py [--passages N …] [--kinds KIND …] [--data DIR] [--work DIR]

Passages and questions are those of newsquiz, time and scifact, encoded once (minutes; kept in --work). What
is missing up to N is made from them by `passages_like`. Every kind but the exact one reads 1/32 of its lists
(HNSW: efSearch 128) and scores the 800 it finds best by vectors in f16, to return 100; "ours" is
`indexer.local.vectors` with the effort that it finds for itself. Recall is against looking at every vector,
over the real questions.
"""

import argparse
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from indexer.cleaning import clean
from indexer.encoder import Encoder, export, locate
from indexer.local.vectors import VectorIndex, VectorWriter
from indexer.models import Rows, Vector, Vectors
from indexer.passages import cut, encoded_text
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer, read
from service.evaluation import read_judged

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
COLLECTIONS = ("newsquiz", "time", "scifact")
WANTED = 100
DEPTH = 8
KINDS = ("exact f32", "exact f16", "ours", "IVF RaBitQ 2 bits", "IVF PQ96 fast scan", "IVF SQ8", "HNSW SQ8")
BLOCK = 1 << 16


def passages_like(real: Vectors, count: int, *, seed: int = 1) -> Iterator[Vectors]:
    """Made passages, (n, dim) unit vectors each time, `count` in all.

    A made one is a + (b - c) / 2 brought to norm 1: a and b are any real passages, c one of the ten
    nearest to b. So it lies near a real one, moved by a difference that there is between passages of like
    matter, and keeps to the dimensions that passages spread in. Of several strengths, 1/2 gives the
    similarities nearest to the real ones: among 24,000 real passages a question's best, tenth and hundredth
    have .67, .50 and .36 in the median, among as many made ones .61, .48 and .34 (with 1: .54, .42 and .30).
    """
    random = np.random.default_rng(seed)
    near = _near(real)
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        a, b = random.integers(len(real), size=(2, size))
        c = near[b, random.integers(near.shape[1], size=size)]
        made = real[a] + (real[b] - real[c]) / 2
        yield made / np.linalg.norm(made, axis=1, keepdims=True)


def _near(real: Vectors, count: int = 10) -> npt.NDArray[np.int64]:
    index = faiss.IndexFlatIP(real.shape[1])
    index.add(real)
    near: npt.NDArray[np.int64] = index.search(real, count + 1)[1][:, 1:]
    return near


def real_vectors(data: Path, work: Path) -> tuple[Vectors, Vectors]:
    """Passages and questions of the judged collections under `data`, as the default model sees them;
    encoded once, and kept in `work`."""
    kept = work / "vectors-of-judged.npz"
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            export(DEFAULT_MODEL, locate(DEFAULT_MODEL), Path(folder), sys.exit)
            encoder = Encoder(Path(folder))
            passages: list[str] = []
            questions: list[str] = []
            for name in COLLECTIONS:
                questions += [one.text for one in read_judged(data / name, work).questions]
                for raw in read(Offer((data / name / "corpus.jsonl",)), Intake()):
                    article = clean(raw).article
                    if article:
                        spans = cut(article.text, encoder.token_spans, max_tokens=200)
                        passages += [encoded_text(article, span) for span in spans]
            np.savez(
                kept, passages=encoder.encode_passages(passages), questions=encoder.encode_queries(questions)
            )
    with np.load(kept) as stored:
        return stored["passages"], stored["questions"]


Search = Callable[[Vector], Rows]


def _exact(stored: npt.NDArray[np.float16], questions: Vectors) -> list[Rows]:
    scores = np.empty((len(questions), 0), np.float32)
    rows = np.empty((len(questions), 0), np.int64)
    for start in range(0, len(stored), BLOCK):
        block = stored[start : start + BLOCK].astype(np.float32)
        best, found = faiss.knn(questions, block, min(WANTED, len(block)), faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([scores, best]), np.hstack([rows, found + start])
        order = np.argsort(-scores, axis=1)[:, :WANTED]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    return list(rows)


def _theirs(kind: str, stored: npt.NDArray[np.float16]) -> tuple[Search, float]:
    """A kind of FAISS's own, and the bytes that it holds of a passage, the vectors in f16 left out."""
    count, dimension = stored.shape
    lists = round(4 * count**0.5)
    product = faiss.METRIC_INNER_PRODUCT
    factories = {
        "exact f32": "Flat",
        "exact f16": "SQfp16",
        "IVF RaBitQ 2 bits": f"IVF{lists},RaBitQ2",
        "IVF PQ96 fast scan": f"IVF{lists},PQ96x4fs",
        "IVF SQ8": f"IVF{lists},SQ8",
        "HNSW SQ8": "HNSW32_SQ8",
    }
    index: Any = faiss.index_factory(dimension, factories[kind], product)
    if kind.startswith("IVF"):
        index.cp.niter, index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 8, 1, 64
        index.nprobe = max(1, lists // 32)
    if kind.startswith("HNSW"):
        index.hnsw.efConstruction, index.hnsw.efSearch = 80, 128
    sample = np.sort(np.random.default_rng(0).choice(count, min(count, 64 * lists), replace=False))
    index.train(stored[sample].astype(np.float32))
    for start in range(0, count, BLOCK):
        index.add(stored[start : start + BLOCK].astype(np.float32))
    size = len(faiss.serialize_index(index)) / count
    if kind.startswith("exact"):
        return lambda vector: index.search(vector[np.newaxis], WANTED)[1][0], size
    exact = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, product)

    def search(vector: Vector) -> Rows:
        deep = index.search(vector[np.newaxis], DEPTH * WANTED)[1][0]
        rows: Rows = np.sort(deep[deep >= 0])
        few = faiss.clone_index(exact)
        few.add_sa_codes(np.ascontiguousarray(stored[rows]).view(np.uint8))
        best: Rows = rows[few.search(vector[np.newaxis], min(WANTED, len(rows)))[1][0]]
        return best

    return search, size


def _ours(folder: Path, stored: npt.NDArray[np.float16]) -> tuple[Search, float]:
    with VectorWriter(folder, stored.shape[1]) as writer:
        for start in range(0, len(stored), BLOCK):
            writer.add(stored[start : start + BLOCK].astype(np.float32))
    print(f"  {VectorIndex.open(folder).segments}")
    index = VectorIndex.open(folder)
    lists = [folder / f"{one.name}.lists" for one in index.segments if one.lists]
    size = sum(path.stat().st_size for path in lists) or 2 * stored.size
    return lambda vector: index.search(vector, WANTED)[0], size / len(stored)


def _timed(search: Search, questions: Vectors) -> tuple[list[float], list[Rows]]:
    faiss.omp_set_num_threads(1)  # of the thread that asks
    times, found = [], []
    for question in questions:
        started = time.perf_counter()
        found.append(search(question))
        times.append(1000 * (time.perf_counter() - started))
    return times, found


def measure(
    kind: str, make: Callable[[], tuple[Search, float]], questions: Vectors, truth: list[Rows]
) -> str:
    """A line of the table: the median of a question, asked by one thread and by two at once."""
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    started = time.perf_counter()
    search, size = make()
    built_s = time.perf_counter() - started
    _timed(search, questions)
    times, found = _timed(search, questions)
    with ThreadPoolExecutor(2) as threads:
        both = [
            one
            for turn, _ in threads.map(partial(_timed, search), [questions, questions[::-1]])
            for one in turn
        ]
    recall = [
        statistics.mean(
            len({*some[:k].tolist()} & {*true[:k].tolist()}) / k
            for some, true in zip(found, truth, strict=True)
        )
        for k in (10, WANTED)
    ]
    figures = [*np.percentile(times, [50, 99]), *np.percentile(both, [50, 99])]
    return (
        f"{kind:20} {built_s:8.1f} {size:8.0f} "
        + " ".join(f"{figure:7.2f}" for figure in figures)
        + f" {recall[0]:8.4f} {recall[1]:8.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--data", type=Path, default=EVAL)
    parser.add_argument("--work", type=Path, default=Path("index-eval"))
    arguments = parser.parse_args()
    real, questions = real_vectors(arguments.data, arguments.work)
    random = np.random.default_rng(0)
    questions = questions[random.permutation(len(questions))[:600]]
    print(f"{len(real):,} real passages, {len(questions)} real questions, {os.cpu_count()} cores; ms")
    for count in arguments.passages:
        folder = Path(tempfile.mkdtemp(dir=arguments.work))
        try:
            file = folder / "stored.f16"
            stored = np.memmap(file, np.float16, "w+", shape=(count, real.shape[1]))
            some = real[random.permutation(len(real))[:count]]
            at = 0
            for block in (some, *([] if count <= len(some) else passages_like(real, count - len(some)))):
                stored[at : at + len(block)] = block
                at += len(block)
            truth = _exact(stored, questions)
            print(f"\n{count:,} passages")
            print(
                f"{'kind':20} {'build s':>8} {'B/pass.':>8} {'p50':>7} {'p99':>7} {'2: p50':>7} {'p99':>7} "
                f"{'r@10':>8} {'r@100':>8}"
            )
            for kind in arguments.kinds:
                ours = partial(_ours, folder / "ours", stored)
                make = ours if kind == "ours" else partial(_theirs, kind, stored)
                print(measure(kind, make, questions, truth), flush=True)
        finally:
            shutil.rmtree(folder)
    print(f"\nmost memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
