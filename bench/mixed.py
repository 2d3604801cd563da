"""Any number of short articles that are no copies of each other, for measurements at size.

Each passage is made of real sentences, those of newsquiz and time below DATELINE_EVAL, else of seeds/, drawn
at random from the whole collection, and of names and a number that are made up, so that rare words grow in
number with the collection as they do in one that is real.
"""

import json
import os
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from indexer.models import Article, Span
from indexer.passages import sentences
from indexer.sources import Intake, Offer, read

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
SEEDS = Path(__file__).resolve().parents[1] / "seeds"
WORDS = 22  # of a passage: 60 tokens with its title and day
FIRST_DAY, DAYS = date(2015, 1, 1), 3652
_SYLLABLES = [first + last for first in "bdfgklmnprstvz" for last in ("a", "en", "i", "or", "u", "ash")]


def real_sentences() -> list[str]:
    """Every distinct sentence of 6 to 30 words."""
    judged = [EVAL / name / "corpus.jsonl" for name in ("newsquiz", "time")]
    there = tuple(file for file in judged if file.is_file()) or (SEEDS,)
    found: dict[str, None] = {}
    for raw in read(Offer(there), Intake()):
        for span in sentences(raw.text):
            sentence = " ".join(raw.text[span.start : span.end].split())
            if 6 <= sentence.count(" ") + 1 <= 30:  # noqa: PLR2004
                found[sentence] = None
    return list(found)


def articles(
    said: list[str], count: int, *, passages: int = 1, first: int = 0
) -> Iterator[tuple[Article, list[Span]]]:
    """Articles number `first` and on, the same ones each time, each with its passages' places in its text."""
    for number in range(first, first + count):
        draw = random.Random(number)  # noqa: S311  no secret
        texts = []
        for _ in range(passages):
            text = f"{_name(draw)} and {_name(draw)} counted {draw.randrange(10**6)}."
            while text.count(" ") < WORDS:
                text += " " + draw.choice(said)
            texts.append(text)
        spans, start = [], 0
        for text in texts:
            spans.append(Span(start, start + len(text)))
            start += len(text) + 2
        day = FIRST_DAY + timedelta(draw.randrange(DAYS))
        article = Article(
            f"a{number}",
            "\n\n".join(texts),
            f"{_name(draw)} {_name(draw)} {number}",
            published_at=day.isoformat(),
            source=f"paper {draw.randrange(100)}",
            language="en",
            dated_by="metadata",
        )
        yield article, spans


def write(path: Path, said: list[str], count: int, *, first: int = 0) -> Path:
    """The same articles, of one passage each, as JSON lines."""
    with path.open("w", encoding="utf-8") as stream:
        for article, _ in articles(said, count, first=first):
            record = {
                "id": article.id,
                "title": article.title,
                "text": article.text,
                "date": article.published_at,
                "source": article.source,
            }
            stream.write(json.dumps(record) + "\n")
    return path


def _name(draw: random.Random) -> str:
    """A made-up surname, the long and rare ones more often new than not."""
    return "".join(draw.choices(_SYLLABLES, k=min(2 + int(draw.expovariate(0.8)), 8))).capitalize()
