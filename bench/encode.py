"""Encoding speed: sentence-transformers' own `encode` against an index's encoder, in one run.

    python bench/encode.py [--passages N] [--data DIR]

The passages are cut from newsquiz where it is present, else from seeds/ (repeated). Prints passages a
second and the milliseconds of a question for both, the ratios, and the least cosine between their
vectors. Ends with 1 where ours is less than 3 times as fast or the cosine is below 0.999.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path

from indexer.cleaning import clean
from indexer.encoder import Encoder, export, locate
from indexer.passages import cut, encoded_text
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer, read

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
SEEDS = Path(__file__).resolve().parents[1] / "seeds"
QUESTIONS = 60
LEAST_RATIO = 3.0
LEAST_COSINE = 0.999


def passages(encoder: Encoder, corpus: Path, count: int) -> list[str]:
    """The first `count` passages of a corpus as they are encoded; a short corpus is repeated."""
    texts = []
    for raw in read(Offer((corpus,)), Intake()):
        article = clean(raw).article
        if article:
            spans = cut(article.text, encoder.token_spans, max_tokens=200)
            texts += [encoded_text(article, span) for span in spans]
        if len(texts) >= count:
            break
    return list(islice(cycle(texts), count))


Encode = Callable[[list[str]], object]


def passages_per_s(encode: Encode, texts: list[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return len(texts) / (time.perf_counter() - started)


def query_ms(encode: Encode, questions: list[str]) -> float:
    times = []
    for question in questions:
        started = time.perf_counter()
        encode([question])
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--passages", type=int, default=400)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--data", type=Path, default=EVAL)
    parser.add_argument("--json", type=Path, help="also write the figures with their conditions here")
    arguments = parser.parse_args()
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415  seconds, not part of what is timed

    corpus = arguments.data / "newsquiz" / "corpus.jsonl"
    corpus = corpus if corpus.is_file() else SEEDS
    source = locate(DEFAULT_MODEL)
    theirs = SentenceTransformer(str(source), device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        export(DEFAULT_MODEL, source, Path(folder), sys.exit)
        ours = Encoder(Path(folder))
        serving = Encoder(Path(folder), streams=1)
        texts = passages(ours, corpus, arguments.passages)
        questions = [f"What was said about {text[40:90]}?" for text in texts[:QUESTIONS]]
        theirs.encode(texts[:32])
        ours.encode_passages(texts[:32])
        # Turn by turn, the best turn of each: what else the machine does hits both or counts for neither.
        turns: defaultdict[str, list[float]] = defaultdict(list)
        for _ in range(arguments.turns):
            turns["theirs_passages"].append(passages_per_s(theirs.encode, texts))
            turns["ours_passages"].append(passages_per_s(ours.encode_passages, texts))
            turns["theirs_ms"].append(query_ms(theirs.encode, questions))
            turns["ours_ms"].append(query_ms(serving.encode_queries, questions))
        figures = {
            "theirs_passages_per_s": max(turns["theirs_passages"]),
            "ours_passages_per_s": max(turns["ours_passages"]),
            "theirs_query_ms": min(turns["theirs_ms"]),
            "ours_query_ms": min(turns["ours_ms"]),
        }
        expected = theirs.encode(texts, normalize_embeddings=True)
        figures["least_cosine"] = float((expected * ours.encode_passages(texts)).sum(axis=1).min())
        tokens = statistics.mean(len(ours.token_spans(text)) for text in texts)
    figures["ratio_passages"] = figures["ours_passages_per_s"] / figures["theirs_passages_per_s"]
    figures["ratio_query"] = figures["theirs_query_ms"] / figures["ours_query_ms"]
    print(f"{len(texts)} passages of {tokens:.0f} tokens from {corpus.parent.name}, {os.cpu_count()} cores")
    print(f"{'':24} {'passages/s':>10} {'query ms':>9}")
    for name, who in (("sentence-transformers", "theirs"), ("dateline", "ours")):
        print(f"{name:24} {figures[f'{who}_passages_per_s']:10.1f} {figures[f'{who}_query_ms']:9.2f}")
    print(f"{'ratio':24} {figures['ratio_passages']:10.2f} {figures['ratio_query']:9.2f}")
    print(f"least cosine between them: {figures['least_cosine']:.6f}")
    if arguments.json:
        conditions = {
            "machine": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        }
        arguments.json.write_text(json.dumps({**conditions, **figures}, indent=1) + "\n", encoding="utf-8")
    if figures["ratio_passages"] < LEAST_RATIO or figures["least_cosine"] < LEAST_COSINE:
        sys.exit(1)


if __name__ == "__main__":
    main()
