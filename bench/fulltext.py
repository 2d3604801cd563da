"""The full-text index at size: how long a question's words take to find, with filters and without.

    python bench/fulltext.py [--passages N] [--keep DIR] [--eval DIR] [--grow N]

The passages are made of real sentences, those of the judged collections below DATELINE_EVAL: each holds
some of one article, drawn by Zipf's law, some of others, and names and numbers that are made up, so that
the tail of rare words grows with the collection as it does in one that is real. Articles have eight
passages, a day within ten years, a source and an author, in no order. The questions are the real ones of
the same collections. Kept in a folder, the index is built once. Everything runs on one thread.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path

from indexer.fulltext import FullTextIndex, FullTextWriter
from indexer.models import EVERYTHING, Article, Filters

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
COLLECTIONS = ("newsquiz", "time", "scifact")
PER_ARTICLE = 8  # passages
WORDS = 120  # of a passage
FIRST_DAY, DAYS = date(2015, 1, 1), 3652
SOURCES, AUTHORS = 200, 5000
DEPTH = 100  # passages asked for, as the service does
TURNS = 3
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
