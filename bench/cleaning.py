"""What cleaning takes out of a text: boilerplate of copied pages, and what it costs of stories without any.

    python bench/cleaning.py [--eval DIR]

DIR (default: DATELINE_EVAL) holds newsquiz/corpus.jsonl, real stories whose texts are clean: every word that
goes is lost. And extraction/, real pages with their stories: all that a reader sees of a page is cleaned as
plain text, as if it had been copied; runs of four words are compared with the story before and after.
"""

import argparse
import os
import time
from pathlib import Path

from extraction import Page, pages, scores

from indexer.cleaning import clean
from indexer.models import Origin, RawArticle
from indexer.sources import Intake, Offer, read
from indexer.sources.decoding import decode
from indexer.sources.html import fragment_text

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
MOST_LOST = 0.002
_SHOWN = 5


def stories(file: Path) -> bool:
    """Prints how many words of clean stories are lost; whether that is little enough."""
    raws = list(read(Offer((file,)), Intake()))
    started = time.perf_counter()
    cleaned = [clean(raw) for raw in raws]
    seconds = time.perf_counter() - started
    before = sum(len(raw.text.split()) for raw in raws)
    after = sum(len(one.article.text.split()) for one in cleaned if one.article)
    lines = {removed for one in cleaned for removed in one.removed if removed.reason != "title"}
    lost = 1 - after / before
    rate = len(raws) / seconds
    print(f"{len(raws):,} stories: {lost:.3%} of {before:,} words taken out, {rate:,.0f}/s; such as")
    for removed in sorted(lines, key=lambda removed: -len(removed.line))[:_SHOWN]:
        print(f"  {removed.reason}: {removed.line}")
    return lost <= MOST_LOST


def seen(page: Page) -> str:
    return fragment_text(decode(page.content))


def cleaned_text(text: str) -> str:
    article = clean(RawArticle(text=text, origin=Origin("page"), place="page")).article
    return article.text if article else ""


def copied(folder: Path) -> None:
    """Prints how much of what readers see of pages is the story, before cleaning and after."""
    judged = [(page.truth, seen(page)) for page in pages(folder)]
    for name, pairs in (
        ("as copied", judged),
        ("cleaned", [(truth, cleaned_text(text)) for truth, text in judged]),
    ):
        f1, precision, recall = scores(pairs)
        print(f"{len(pairs)} pages {name}: F1 {f1:.3f}, precision {precision:.3f}, recall {recall:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, default=EVAL)
    folder = parser.parse_args().eval
    held = True
    if (folder / "newsquiz" / "corpus.jsonl").is_file():
        held = stories(folder / "newsquiz" / "corpus.jsonl")
    else:
        print(f"newsquiz: skipped, {folder} does not hold it (DATELINE_EVAL names the folder)")
    if (folder / "extraction" / "ground-truth.json").is_file():
        copied(folder / "extraction")
    else:
        print(f"extraction: skipped, {folder} does not hold it (DATELINE_EVAL names the folder)")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
