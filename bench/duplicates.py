"""Whether copies of a story are found, and nothing else: on copies made here, among real articles.

    python bench/duplicates.py [--eval DIR]

Of each collection below DIR (default: DATELINE_EVAL) some articles are copied as a second outlet would print
them: one word in ten replaced by another of the collection, a paragraph cut, another headline, up to two days
later. All are then grouped together. Recall: copies in a group with their original. Precision: of the pairs
in a group with a copy in them, those of one original, or of two that were grouped before there were copies.
"""

import argparse
import os
import random
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path

from indexer.cleaning import clean
from indexer.duplicates import groups, sign
from indexer.models import Article
from indexer.sources import Intake, Offer, read

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
COLLECTIONS = {"newsquiz": "newsquiz/corpus.jsonl", "reuters": "reuters/articles.jsonl.xz"}
COPIES = 1400
FEWEST_WORDS = 40
LEAST_RECALL, LEAST_PRECISION = 0.95, 0.98
_WORD = re.compile(r"\w+(?:[.,'’-]\w+)*")


def articles(file: Path) -> list[Article]:
    found = (clean(raw).article for raw in read(Offer((file,)), Intake()))
    return [article for article in found if article]


def copies(originals: list[Article], chance: random.Random) -> Iterator[Article]:
    vocabulary = _WORD.findall(" ".join(article.text for article in originals))
    for original in originals:
        paragraphs = original.text.split("\n\n")
        if len(paragraphs) > 2:  # noqa: PLR2004  what is left is to be more than a line
            paragraphs.pop(chance.randrange(len(paragraphs)))
        text = _WORD.sub(
            lambda word: chance.choice(vocabulary) if chance.random() < 0.1 else word[0],  # noqa: PLR2004
            "\n\n".join(paragraphs),
        )
        moment = original.moment
        later = (moment + timedelta(hours=chance.randrange(48))).isoformat() if moment else None
        title = chance.choice(originals).title
        yield replace(original, id=f"copy of {original.id}", text=text, title=title, published_at=later)


def grouped(every: list[Article]) -> list[list[int]]:
    with tempfile.TemporaryDirectory() as folder:
        return groups(enumerate(map(sign, every)), every.__getitem__, Path(folder))


def measure(name: str, real: list[Article]) -> bool:
    chance = random.Random(7)  # noqa: S311  a measurement, not a secret
    long = [at for at, article in enumerate(real) if len(article.text.split()) >= FEWEST_WORDS]
    originals = chance.sample(long, min(COPIES, len(long)))
    before = {pair for group in grouped(real) for pair in combinations(group, 2)}
    every = [*real, *copies([real[at] for at in originals], chance)]
    started = time.perf_counter()
    found = grouped(every)
    seconds = time.perf_counter() - started
    original = {len(real) + at: of for at, of in enumerate(originals)}
    pairs = [pair for group in found for pair in combinations(group, 2) if pair[1] in original]
    true = recalled = 0
    for one, other in pairs:
        first, second = sorted((original.get(one, one), original[other]))
        true += first == second or (first, second) in before
        recalled += one == original[other]
    recall, precision = recalled / len(originals), true / len(pairs)
    print(
        f"{name}: {len(every):,} articles, {len(every) / seconds:,.0f}/s; {len(originals):,} copies, recall "
        f"{recall:.3f}; {len(pairs):,} pairs, {precision:.3f} of them true; "
        f"{len(before):,} pairs among the real ones"
    )
    return recall >= LEAST_RECALL and precision >= LEAST_PRECISION


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, default=EVAL)
    folder = parser.parse_args().eval
    held = True
    for name, file in COLLECTIONS.items():
        if (folder / file).is_file():
            held &= measure(name, articles(folder / file))
        else:
            print(f"{name}: skipped, there is no {folder / file} (DATELINE_EVAL names the folder)")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
