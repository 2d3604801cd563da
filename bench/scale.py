"""How it grows: 10,000 to a million passages, built without encoding them all, opened and asked.

    python bench/scale.py [--passages N …] [--data DIR] [--json FILE]

The texts are those of bench/mixed.py. The first passages are encoded for real; the vector of each other one
is that of a passage encoded, moved at random by the covariance that the encoded ones have, so that it lies
at a cosine of about 0.8 from it, and its tokens' vectors are those of the same passage. Everything is
written by the project's own writers, timed apart from the making. An index in the data folder that holds
as many passages is used again, and sizes not asked for stay in the figures.

Resident bytes are those of the serving process after searches, less those with an index of one passage: what
was read of mapped files counts.
"""

import argparse
import dataclasses
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import mixed
import numpy as np
import numpy.typing as npt
from peers import RESULTS, Dateline, conditions, load, questions
from start import resident_mb

from indexer.encoder import Encoder, export, locate
from indexer.folder import ENCODER, IndexFolder
from indexer.lateinteraction import Codes, coded
from indexer.local.columns import Columns
from indexer.local.corpus import Corpus, CorpusWriter
from indexer.local.fulltext import FullTextWriter
from indexer.local.generation import (
    COLUMNS,
    CORPUS,
    FULLTEXT,
    TOKENS,
    VECTORS,
    LocalGeneration,
    LocalIndex,
)
from indexer.local.tokenvectors import TokenVectorWriter
from indexer.local.vectors import VectorIndex, VectorWriter
from indexer.models import Filters, Mask, Vector, Vectors
from indexer.passages import encoded_text
from indexer.settings import DEFAULT_MODEL
from service.retrieval import SearchQuery, search

PER_ARTICLE = 8
BITS = 2
SHARES = (0.001, 0.01, 0.1, 0.5)
ASKED = 200  # questions
K = 10
DEPTH = 100  # passages that a search asks of each ranking
SPREAD = 0.75  # the length of what moves a vector, whose own is 1
WARM_S = 20.0  # of other questions before those that count: by then what a question reads is mapped
_BLOCK = 20_000


class Made:
    """Passages' vectors and token codes: real for the first, made of these for all others."""

    def __init__(self, encoder: Encoder, said: list[str], data: Path, count: int) -> None:
        """Encodes `count` passages, unless the data folder has them."""
        file = data / f"encoded-{count}.npz"
        if not file.is_file():
            self._encode(encoder, said, count, file)
        with np.load(file) as stored:
            self._vectors: Vectors = stored["vectors"]
            starts, codes = stored["starts"], stored["codes"]
        self._codes: list[Codes] = np.split(codes, starts[1:-1])
        covariance = np.cov(self._vectors, rowvar=False)
        # The root of the covariance, scaled to moves of the wanted length.
        values, turned = np.linalg.eigh(covariance)
        root = turned * np.sqrt(np.maximum(values, 0) / np.maximum(values, 0).sum())
        self._moves = (SPREAD * root.T).astype(np.float32)

    @staticmethod
    def _encode(encoder: Encoder, said: list[str], count: int, file: Path) -> None:
        texts = [
            encoded_text(article, span)
            for article, spans in mixed.articles(said, -(-count // PER_ARTICLE), passages=PER_ARTICLE)
            for span in spans
        ][:count]
        vectors = np.empty((count, encoder.facts.dimension), np.float32)
        codes: dict[int, Codes] = {}
        for at, encoded in encoder.stream_passages(texts):
            vectors[at] = encoded.vector
            codes[at] = coded(encoded.tokens, bits=BITS)
        starts = np.cumsum([0, *(len(codes[at]) for at in range(count))])
        np.savez(
            file, vectors=vectors, starts=starts, codes=np.concatenate([codes[at] for at in range(count)])
        )

    def blocks(self, count: int) -> Iterator[tuple[int, Vectors, list[Codes]]]:
        """The first row of a block of passages, their vectors and their tokens' codes, the same each time."""
        real = len(self._vectors)
        for start in range(0, count, _BLOCK):
            rows = np.arange(start, min(count, start + _BLOCK))
            draw = np.random.default_rng(start)
            parents = np.where(rows < real, rows, draw.integers(real, size=len(rows)))
            vectors = self._vectors[parents]
            made = rows >= real
            noise = draw.standard_normal((int(made.sum()), vectors.shape[1]), np.float32)
            vectors[made] += noise @ self._moves
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            yield start, vectors, [self._codes[parent] for parent in parents]


class Clock:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def off(self, what: str) -> Iterator[None]:
        """What is done inside is not counted, though the clock is on around it."""
        started = time.perf_counter()
        yield
        self.seconds[what] -= time.perf_counter() - started

    @contextmanager
    def on(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started


def build(folder: IndexFolder, encoder: Path, said: list[str], made: Made, count: int) -> dict[str, float]:
    """A generation of `count` passages; the seconds that each part of it took to write."""
    clock = Clock()
    with folder.writing("bench/scale.py"), folder.staging() as staging:
        shutil.copytree(encoder, staging / ENCODER)
        write_texts(staging, said, count, clock)
        with TokenVectorWriter(staging / TOKENS) as tokens:
            vectors = VectorWriter(staging / VECTORS, Encoder(encoder).facts.dimension)
            with clock.on("vectors"), vectors:
                for _, block, codes in made.blocks(count):
                    vectors.add(block)
                    with clock.off("vectors"), clock.on("token vectors"):
                        for own in codes:
                            tokens.add(own)
        corpus = Corpus(staging / CORPUS)
        counts = {
            "articles": corpus.article_count, "passages": corpus.passage_count, "encoded": 0, "undated": 0,
            "stories_with_copies": 0, "read": corpus.article_count, "repeated": 0, "skipped": 0,
        }  # fmt: skip
        with clock.on("columns"):
            Columns.write(staging / COLUMNS, corpus.filed(), corpus.passage_rows)
        with clock.on("commit"):
            digest = corpus.digest()
            corpus.close()
            folder.commit(
                staging,
                base=None,
                built_by="bench/scale.py",
                encoder=dataclasses.asdict(Encoder(encoder).facts),
                settings={"passage_tokens": 200, "token_bits": BITS, "trusted_sources": []},
                vectors=[dataclasses.asdict(one) for one in VectorIndex.open(staging / VECTORS).segments],
                counts=counts,
                corpus=digest,
            )
    return dict(clock.seconds)


def write_texts(staging: Path, said: list[str], count: int, clock: Clock) -> None:
    """The corpus and the full-text index."""

    def made() -> Iterator[Any]:
        return mixed.articles(said, -(-count // PER_ARTICLE), passages=PER_ARTICLE)

    with CorpusWriter(staging / CORPUS) as corpus:
        for article, _ in made():
            with clock.on("corpus"):
                corpus.add(article, "mixed", "2026-01-01T00:00:00Z", "")
        with FullTextWriter(staging / FULLTEXT) as fulltext:
            for number, (article, whole) in enumerate(made()):
                spans = whole[: count - number * PER_ARTICLE]
                texts = [encoded_text(article, span) for span in spans]
                with clock.on("corpus"):
                    digests = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
                    first = corpus.add_passages(
                        number, list(zip(spans, digests, strict=True)), [[] for _ in spans]
                    )
                with clock.on("full text"):
                    for row, text in enumerate(texts, start=first):
                        fulltext.add(row, text, article)
            closing = time.perf_counter()
        clock.seconds["full text"] += time.perf_counter() - closing
        closing = time.perf_counter()
    clock.seconds["corpus"] += time.perf_counter() - closing


# --- opened and asked


def percentiles(times_s: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(np.array(times_s) * 1000, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def timed(task: Callable[[Any], object], over: list[Any]) -> dict[str, float]:
    """Each asked once; the first few, which find nothing read yet, are asked before."""
    for one in over[:20]:
        task(one)
    times = []
    for one in over[20:]:
        started = time.perf_counter()
        task(one)
        times.append(time.perf_counter() - started)
    return percentiles(times)


def exact(made: Made, count: int, asked: Vectors, masks: list[Mask | None]) -> list[npt.NDArray[np.float32]]:
    """For each mask the K best cosines of each question, the best first, found by trying all: (asked, K)."""
    best = [np.full((len(asked), K), -np.inf, np.float32) for _ in masks]
    for start, vectors, _ in made.blocks(count):
        cosines = asked @ vectors.T
        for at, mask in enumerate(masks):
            own = cosines if mask is None else cosines[:, mask[start : start + len(vectors)]]
            joined = np.concatenate([best[at], own], axis=1)
            best[at] = -np.sort(np.partition(-joined, K - 1, axis=1)[:, :K], axis=1)
    return best


def recall(
    made: Made,
    count: int,
    asked: Vectors,
    found: list[npt.NDArray[np.int64]],
    best: npt.NDArray[np.float32],
) -> float:
    """The share of each question's K nearest that were found, on average. A row counts as one of these by
    its true cosine, since rows of equal cosine are as good as each other."""
    wanted = sorted({int(row) for rows in found for row in rows[:K]})
    true = np.empty((len(wanted), asked.shape[1]), np.float32)
    for start, vectors, _ in made.blocks(count):
        within = [(at, row - start) for at, row in enumerate(wanted) if start <= row < start + len(vectors)]
        for at, place in within:
            true[at] = vectors[place]
    place_of = {row: at for at, row in enumerate(wanted)}
    shares = []
    for question, rows, least in zip(asked, found, best, strict=True):
        reachable = int(np.isfinite(least).sum())
        if not reachable:
            shares.append(1.0)
            continue
        floor = least[reachable - 1] - 1e-5
        own = true[[place_of[int(row)] for row in rows[:K]]] @ question
        shares.append(min(int((own >= floor).sum()), reachable) / reachable)
    return float(np.mean(shares))


def dense(generation: LocalGeneration, mask: Mask | None, vector: Vector) -> npt.NDArray[np.int64]:
    return generation.vectors.index.search(vector, DEPTH, mask)[0]


def filters_of(share: float) -> Filters:
    """A stretch of days that holds this share of the articles."""
    days = max(1, round(mixed.DAYS * share))
    first = mixed.FIRST_DAY + timedelta((mixed.DAYS - days) // 2)
    return Filters(published_after=first, published_before=first + timedelta(days - 1))


def measured(folder: IndexFolder, made: Made, count: int, empty_mb: float, seconds: float) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    # Twice what is needed, none asked twice in a row of measurements: the service remembers questions.
    draw = questions(4)
    texts = [next(draw) for _ in range(ASKED * 2 * (len(SHARES) + 1))]
    with LocalIndex(folder).open_best(sys.exit) as generation:
        asked = generation.encoder.encode_queries(texts[:ASKED])
        kept = [None, *(filters_of(share) for share in SHARES)]
        masks = [generation.columns.allowed(one) if one else None for one in kept]
        best = exact(made, count, asked, masks)
        for at, (filters, mask) in enumerate(zip(kept, masks, strict=True)):
            found = [dense(generation, mask, vector) for vector in asked]
            within = count if mask is None else int(mask.sum())
            own = texts[ASKED * (2 * at) : ASKED * (2 * at + 1)]
            queries = [SearchQuery(text, filters=filters or Filters()) for text in own]
            figures["all" if at == 0 else f"{SHARES[at - 1]:.1%}"] = {
                "passages": within,
                "recall_at_10": recall(made, count, asked, found, best[at]),
                "full_lists": all(len(rows) == min(DEPTH, within) for rows in found),
                "dense": timed(partial(dense, generation, mask), list(asked)),
                "hybrid": timed(partial(search, generation), queries),
            }
        files = generation.manifest.files
    by_part: defaultdict[str, int] = defaultdict(int)
    for name, facts in files.items():
        by_part[name.split("/")[0].split(".")[0]] += facts["bytes"]
    ours = Dateline()
    with ours.serving(folder.path) as (pid, port, ready_s):
        load(ours, port, 1, WARM_S, seed=40)
        http = dataclasses.asdict(load(ours, port, 1, seconds, seed=41))
        many = dataclasses.asdict(load(ours, port, 16, seconds, seed=42))
        resident = resident_mb(pid)
    return {
        "passages": count,
        "ready_s": ready_s,
        "searches": figures,
        "http_1": http,
        "http_16": many,
        "resident_bytes_each": (resident - empty_mb) * 2**20 / count,
        "resident_mb": resident,
        "bytes_each": {part: size / count for part, size in by_part.items()},
    }


def empty_mb(data: Path, encoder: Path, said: list[str], made: Made) -> float:
    """What a service holds over one passage, after the same searches."""
    folder = IndexFolder(data / "index-1")
    if not folder.ids():
        build(folder, encoder, said, made, 1)
    ours = Dateline()
    with ours.serving(folder.path) as (pid, port, _):
        load(ours, port, 16, 3.0, seed=40)
        return resident_mb(pid)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--data", type=Path, default=Path("bench-data"))
    parser.add_argument("--encoded", type=int, default=20_000, help="passages encoded for real")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load over HTTP")
    parser.add_argument("--json", type=Path, default=RESULTS / "scale.json")
    asked = parser.parse_args()
    asked.data.mkdir(parents=True, exist_ok=True)
    encoder, said = asked.data / "encoder", mixed.real_sentences()
    if not encoder.is_dir():
        with tempfile.TemporaryDirectory(dir=asked.data) as scratch:
            export(DEFAULT_MODEL, locate(DEFAULT_MODEL), Path(scratch), sys.exit)
            shutil.copytree(scratch, encoder)
    made = Made(Encoder(encoder), said, asked.data, min(asked.encoded, max(asked.passages)))
    least = empty_mb(asked.data, encoder, said, made)
    before = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.is_file() else {"sizes": {}}
    for count in sorted(asked.passages):
        folder = IndexFolder(asked.data / f"index-{count}")
        note = asked.data / f"index-{count}.json"
        if not note.is_file():
            shutil.rmtree(folder.path, ignore_errors=True)
            parts = build(folder, encoder, said, made, count)
            note.write_text(json.dumps(parts) + "\n", encoding="utf-8")
        parts = json.loads(note.read_text(encoding="utf-8"))
        figures = measured(folder, made, count, least, asked.seconds)
        figures |= {"build_s": sum(parts.values()), "build_parts_s": parts, "conditions": conditions()}
        before["sizes"][str(count)] = figures
        before["encoded"] = asked.encoded
        asked.json.parent.mkdir(exist_ok=True)
        asked.json.write_text(json.dumps(before, indent=1) + "\n", encoding="utf-8")
        print(
            f"{count:9,} passages: built in {figures['build_s']:.1f} s without encoding, ready in"
            f" {figures['ready_s']:.2f} s, {figures['resident_bytes_each']:.0f} bytes resident each;"
            f" over HTTP p50 {figures['http_1']['p50_ms']:.1f} p99 {figures['http_1']['p99_ms']:.1f} ms,"
            f" 16 clients {figures['http_16']['per_second']:.0f}/s"
        )
        for name, one in figures["searches"].items():
            print(
                f"  {name:>6} of the passages ({one['passages']:,}): recall@10 {one['recall_at_10']:.4f},"
                f" lists {'full' if one['full_lists'] else 'NOT FULL'},"
                f" dense {one['dense']['p50_ms']:.2f} ms,"
                f" hybrid {one['hybrid']['p50_ms']:.2f} ms p50 {one['hybrid']['p99_ms']:.2f} ms p99",
                flush=True,
            )


if __name__ == "__main__":
    main()
