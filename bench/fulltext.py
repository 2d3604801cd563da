"""The full-text index at size: how long a question's words take to find, with filters and without.

    python bench/fulltext.py [--passages N] [--keep DIR] [--exact]

The passages are made of real sentences, those of the judged collections below DATELINE_EVAL: each holds
some of one article, drawn by Zipf's law, some of others, and names and numbers that are made up, so that
the tail of rare words grows with the collection as it does in one that is real. Articles have eight
passages, a day within ten years, a source and an author, in no order. The questions are the real ones of
the same collections. Kept in a folder, the index is built once. Everything runs on one thread.

With --exact, also how much of the best 10 and 100 of all words' exact scores is found, and how fast those
scores are had.
"""

import argparse
import json
import os
import random
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

import numpy as np

from indexer.local import fulltext
from indexer.local.fulltext import FullTextIndex, FullTextWriter
from indexer.models import EVERYTHING, Article, Filters
from indexer.words import query_terms

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
COLLECTIONS = ("newsquiz", "time", "scifact")
PER_ARTICLE = 8  # passages
WORDS = 120  # of a passage
FIRST_DAY, DAYS = date(2015, 1, 1), 3652
SOURCES, AUTHORS = 200, 5000
DEPTH = 100  # passages asked for, as the service does
QUESTIONS = 300
NOTHING_LEFT_OUT = 1 << 62
ADDED = 0.01  # of the passages, when growing is timed
_SYLLABLES = [first + last for first in "bdfgklmnprstvz" for last in ("a", "en", "i", "or", "u", "ash")]


def sentences(folder: Path) -> list[list[str]]:
    """The sentences of every article of the judged collections."""
    articles = []
    for collection in COLLECTIONS:
        for line in (folder / collection / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
            text = json.loads(line)["text"]
            found = re.findall(r"\S[^.?!\n]{20,400}[.?!]?", text)
            if len(found) > 1:
                articles.append(found)
    return articles


def questions(folder: Path) -> list[str]:
    return [
        json.loads(line)["text"]
        for collection in COLLECTIONS
        for line in (folder / collection / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def passages(articles: Sequence[Sequence[str]], count: int, seed: int = 0) -> Iterator[tuple[Article, str]]:
    """Made-up passages of about WORDS words, the same ones for the same seed, each with its article."""
    draw = random.Random(seed)  # noqa: S311
    order = list(articles)
    draw.shuffle(order)
    weights = list(accumulate((rank + 1) ** -0.5 for rank in range(len(order))))
    newspapers = list(accumulate(1 / (rank + 1) for rank in range(SOURCES)))
    article = Article("-", "-", "")
    subject = order[0]
    for row in range(count):
        if row % PER_ARTICLE == 0:
            day = FIRST_DAY + timedelta(draw.randrange(DAYS))
            (source,) = draw.choices(range(SOURCES), cum_weights=newspapers)
            article = Article(
                f"a{row // PER_ARTICLE}",
                "-",
                "",
                published_at=day.isoformat(),
                source=f"paper {source}",
                author=f"author {draw.randrange(AUTHORS)}",
            )
            (subject,) = draw.choices(order, cum_weights=weights)
        words = 0
        said: list[str] = []
        while words < WORDS:
            held = subject if len(said) % 2 == 0 else draw.choice(order)
            said.append(draw.choice(held))
            words += said[-1].count(" ") + 1
        said += (_name(draw), str(int(draw.paretovariate(0.5)) % 10**9), _name(draw))
        yield article, " ".join(said)


def _name(draw: random.Random) -> str:
    """A made-up surname, the long and rare ones more often new than not."""
    return "".join(draw.choices(_SYLLABLES, k=min(2 + int(draw.expovariate(0.8)), 8))).capitalize()


def built(folder: Path, articles: Sequence[Sequence[str]], count: int) -> None:
    started = time.perf_counter()
    with FullTextWriter(folder) as writer:
        for row, (article, text) in enumerate(passages(articles, count)):
            writer.add(row, text, article)
    print(f"built in {time.perf_counter() - started:.1f} s")


def conditions() -> dict[str, Filters]:
    """Filters by the share of the passages that they let through."""
    middle = FIRST_DAY + timedelta(DAYS // 3)
    dated = {
        f"{share:.1%} by date": Filters(middle, middle + timedelta(round(DAYS * share) - 1))
        for share in (0.001, 0.01, 0.1, 0.5)
    }
    return {
        "all": EVERYTHING,
        **dated,
        "90 % by date": Filters(FIRST_DAY + timedelta(DAYS // 10)),
        "a large source": Filters(sources=("paper 0",)),
        "a small source": Filters(sources=("paper 150",)),
        "three authors": Filters(authors=("author 1", "author 2", "author 3")),
        "a source, a year": Filters(middle, middle + timedelta(364), sources=("paper 1",)),
    }


def timed(index: FullTextIndex, asked: Sequence[str], filters: Filters) -> tuple[np.ndarray, list[list[int]]]:
    """Milliseconds of each question, and the rows that were found."""
    took, found = [], []
    for question in asked:
        started = time.perf_counter()
        rows, _ = index.search(query_terms(question), DEPTH, filters)
        took.append(1000 * (time.perf_counter() - started))
        found.append(rows.tolist())
    return np.array(took), found


def show(name: str, took: np.ndarray, more: str = "") -> None:
    p50, p90, p99 = np.percentile(took, (50, 90, 99))
    print(f"{name:<20}p50 {p50:6.2f}   p90 {p90:6.2f}   p99 {p99:6.2f} ms   {more}")


def shared(exact: list[list[int]], found: list[list[int]], depth: int) -> float:
    """The mean share of the exact best that is found."""
    return float(
        np.mean(
            [
                len(set(one[:depth]) & set(other[:depth])) / len(one[:depth])
                for one, other in zip(exact, found, strict=True)
                if one
            ]
        )
    )


def grown(folder: Path, articles: Sequence[Sequence[str]], count: int) -> None:
    """Times adding and removing a hundredth, in a folder of links."""
    few = max(int(count * ADDED), 1)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for path in folder.iterdir():
            (Path(scratch) / path.name).hardlink_to(path)
        made = list(passages(articles, few, seed=1))
        started = time.perf_counter()
        with FullTextWriter(Path(scratch)) as writer:
            writer.remove(range(few))
            for row, (article, text) in enumerate(made, count):
                writer.add(row, text, article)
        print(f"{few:,} removed and {few:,} added in {time.perf_counter() - started:.1f} s")


def resident_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="folder for the index; by default it is thrown away")
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    if not all((EVAL / collection).is_dir() for collection in COLLECTIONS):
        print(f"skipped: there is no {EVAL} (DATELINE_EVAL names the folder of judged collections)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        measure(options.keep or Path(scratch) / "fulltext", options.passages, exact=options.exact)


def measure(folder: Path, count: int, *, exact: bool) -> None:
    articles = sentences(EVAL)
    if not folder.exists():
        built(folder, articles, count)
    size = sum(path.stat().st_size for path in folder.iterdir())
    before, started = resident_mb(), time.perf_counter()
    index = FullTextIndex(folder)
    opened_ms = 1000 * (time.perf_counter() - started)
    print(f"{len(index):,} passages, {size / len(index):.0f} bytes each, opened in {opened_ms:.0f} ms")
    asked = questions(EVAL)
    random.Random(0).shuffle(asked)  # noqa: S311
    asked = asked[:QUESTIONS]
    timed(index, asked, EVERYTHING)  # what is read once stays in memory
    for name, filters in conditions().items():
        took, found = timed(index, asked, filters)
        show(name, took, f"{np.mean([len(rows) for rows in found]):.0f} found")
    print(f"{resident_mb() - before:.0f} MB more resident, mapped files counted")
    if exact:
        _, found = timed(index, asked, EVERYTHING)
        fulltext._MOST_READ = NOTHING_LEFT_OUT  # noqa: SLF001
        took, whole = timed(index, asked, EVERYTHING)
        best = ", ".join(f"{shared(whole, found, depth):.4f} of the best {depth}" for depth in (10, 100))
        show("every word read", took, f"of which is found {best}")
    grown(folder, articles, count)


if __name__ == "__main__":
    main()
