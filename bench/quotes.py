"""Whether quotes are found and given to the right speaker: on PolNeAR, whose attributions people marked.

    python bench/quotes.py [--eval DIR] [--show N]

DIR/polnear/dev.jsonl (default: DATELINE_EVAL) holds articles with spans of source, cue and content.
Direct is an attribution whose content begins with a quotation mark, indirect one without any mark. Each of
ours is judged by the attribution that its words overlap most. Found: the share of attributions that ours
overlap. Right: the place of our speaker overlaps that of the source, or the last word of our speaker's name
stands in the source; who "he" is, nobody marked. Ours that overlap no attribution at all are wrong.
Precision: of ours with a speaker, those that are right. Recall: of attributions with a source, those of which
a quote of ours is right. Words: precision and recall of the characters of the contents, over all pairs.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from indexer.models import Span
from indexer.quotes import Quotation, quotations

EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
# What a careless rule would read in squares of its length.
HOSTILE = ("“a,” X said. ", "he said, ", "A, ", "said ", "“", "Bob Ray said he is. ", "X (a ")
LEAST_PRECISION = 0.93
_MARKS = '“”"'


class Gold(NamedTuple):
    source: list[Span]
    content: list[Span]
    source_text: str
    direct: bool | None
    """None where only some of the words are quoted."""


class Judged(NamedTuple):
    ours: Quotation
    gold: Gold | None
    right: bool


def golds(article: dict[str, Any]) -> list[Gold]:
    found = []
    for one in article["attributions"]:
        source, content = (
            [Span(*span) for part in one[name] for span in part["spans"]] for name in ("source", "content")
        )
        if not content:
            continue
        texts = [article["text"][span.start : span.end].strip() for span in content]
        marked = any(mark in text for mark in _MARKS for text in texts)
        direct = True if texts[0][:1] in set(_MARKS) else None if marked else False
        found.append(Gold(source, content, " ".join(part["text"] for part in one["source"]), direct))
    return found


def overlap(one: Span, others: list[Span]) -> int:
    return sum(max(0, min(one.end, other.end) - max(one.start, other.start)) for other in others)


def judged(ours: Quotation, gold: list[Gold]) -> Judged:
    size = ours.place.end - ours.place.start
    held = [(overlap(ours.place, one.content), one) for one in gold]
    # Of attributions inside each other the closest: most shared, least beside it.
    shared, best = max(
        held,
        key=lambda pair: (pair[0], -sum(span.end - span.start for span in pair[1].content)),
        default=(0, None),
    )
    if best is None or 2 * shared < size:
        return Judged(ours, None, right=False)
    near = ours.speaker_place is not None and overlap(ours.speaker_place, best.source) > 0
    named = ours.speaker is not None and ours.speaker.split()[-1].lower() in best.source_text.lower()
    return Judged(ours, best, right=near or named)


def measured(articles: list[dict[str, Any]], *, direct: bool) -> tuple[list[Judged], dict[str, float]]:
    every: list[Judged] = []
    found = recalled = wanted = sourced = shared = their_size = our_size = 0
    for article in articles:
        gold = golds(article)
        ours = quotations(article["text"])
        here = [judged(one, gold) for one in ours if one.direct == direct and one.speaker_place]
        every += here
        for one in gold:
            if one.direct is not direct:
                continue
            wanted += 1
            sourced += bool(one.source)
            touching = [
                two for two in ours if 2 * overlap(two.place, one.content) >= two.place.end - two.place.start
            ]
            found += bool(touching)
            recalled += any(
                two.gold is one and two.right for two in (judged(three, gold) for three in touching)
            )
            if touching:
                shared += sum(overlap(two.place, one.content) for two in touching)
                our_size += sum(two.place.end - two.place.start for two in touching)
                their_size += sum(span.end - span.start for span in one.content)
    right = sum(one.right for one in every)
    precision, recall = right / max(1, len(every)), recalled / max(1, sourced)
    return every, {
        "attributions": wanted,
        "found": found / max(1, wanted),
        "ours": len(every),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "words_precision": shared / max(1, our_size),
        "words_recall": shared / max(1, their_size),
    }


def shown(articles: list[dict[str, Any]], *, direct: bool) -> Iterator[str]:
    for article in articles:
        text, gold = article["text"], golds(article)
        for one in quotations(text):
            if one.direct == direct and one.speaker_place:
                found = judged(one, gold)
                if not found.right:
                    near = text[max(0, one.place.start - 150) : one.place.end + 150].replace("\n", "⏎")
                    source = found.gold.source_text if found.gold else "nobody"
                    yield f"{one.speaker} ({text[slice(*one.speaker_place)]}), not {source}: {near}"


def growth(piece: str) -> float:
    """How many times as long ten times the text takes: about 10 where the time grows with the length."""

    def seconds(count: int) -> float:
        started = time.process_time()
        quotations(piece * count)
        return time.process_time() - started

    return seconds(20_000) / seconds(2_000)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--eval", type=Path, default=EVAL)
    parser.add_argument("--show", type=int, default=0, help="so many of the wrong ones")
    asked = parser.parse_args()
    file = asked.eval / "polnear/dev.jsonl"
    if not file.is_file():
        print(f"skipped, there is no {file} (DATELINE_EVAL names the folder)")
        return
    articles = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    started = time.perf_counter()
    for article in articles:
        quotations(article["text"])
    seconds = time.perf_counter() - started
    print(f"{len(articles)} articles, {len(articles) / seconds:,.0f}/s")
    held = True
    columns = "attributions found ours precision recall f1 words_precision words_recall".split()
    print(f"{'':10}" + "".join(f"{name:>17}" for name in columns))
    for name, direct in (("direct", True), ("indirect", False)):
        _, row = measured(articles, direct=direct)
        held &= not direct or row["precision"] >= LEAST_PRECISION
        print(
            f"{name:10}"
            + "".join(f"{row[c]:>17,.3f}" if row[c] <= 1 else f"{row[c]:>17,.0f}" for c in columns)
        )
        for line, _ in zip(shown(articles, direct=direct), range(asked.show), strict=False):
            print("  ", line)
    print("ten times the text takes, times as long:")
    for piece in HOSTILE:
        print(f"  {growth(piece):5.1f}  {piece!r} over and over")
    raise SystemExit(not held)


if __name__ == "__main__":
    main()
