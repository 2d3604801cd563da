"""How much of a page's story is read, and how little else: beside trafilatura alone, in one run.

    python bench/extraction.py [--pages DIR]

DIR (default: extraction/ of DATELINE_EVAL) holds html/ID.html.gz and ground-truth.json, as the
public article-extraction-benchmark has them. The measure is that benchmark's: runs of four words, as a
multiset, precision and recall averaged over pages, F1 of the averages.
"""

import argparse
import gzip
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lxml.html
import trafilatura

from indexer.cleaning import clean
from indexer.dates import parse_published
from indexer.models import Article, Origin
from indexer.sources.document import Document, NoArticleError
from indexer.sources.html import read

_DEFAULT = Path(os.environ.get("DATELINE_EVAL", "../shared/eval")) / "extraction"


class Page(NamedTuple):
    name: str
    content: bytes
    truth: str
    url: str


def runs(text: str, length: int = 4) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text or "", re.UNICODE)
    found = [tuple(words[max(0, end - length) : end]) for end in range(length, len(words) + 1)]
    return Counter(found or ([tuple(words)] if words else []))


def scores(pairs: list[tuple[str, str]]) -> tuple[float, float, float]:
    """F1, precision and recall over (truth, found) texts."""
    precision: list[float] = []
    recall: list[float] = []
    for truth, found in pairs:
        wanted, got = runs(truth), runs(found)
        both = sum((wanted & got).values())
        wrong, missed = sum((got - wanted).values()), sum((wanted - got).values())
        # As the benchmark has it: a page is one unit, and one with nothing to find does not count.
        if both + wrong:
            precision.append(both / (both + wrong))
        if both + missed:
            recall.append(both / (both + missed))
    p, r = sum(precision) / len(precision), sum(recall) / len(recall)
    return 2 * p * r / (p + r), p, r


def stated(markup: str) -> tuple[set[str], set[str]]:
    """Titles and days that a page states in its metadata, its heading and its time elements."""
    tree = lxml.html.fromstring(
        markup.encode("utf-8", "replace"), parser=lxml.html.HTMLParser(encoding="utf-8")
    )
    titles: set[str] = set()
    days: set[str] = set()
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or ""):
            titles.update(re.findall(r'"headline"\s*:\s*"((?:[^"\\]|\\.)*)"', script.text or ""))
            days.update(re.findall(r'"datePublished"\s*:\s*"([^"]*)"', script.text or ""))
    for meta in tree.iter("meta"):
        name, content = (
            (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower(),
            meta.get("content"),
        )
        if name in {"og:title", "twitter:title"} and content:
            titles.add(content)
        if name in {"article:published_time", "datepublished"} and content:
            days.add(content)
    titles.update(heading.text_content() for heading in tree.iter("h1"))
    days.update(one.get("datetime") for one in tree.iter("time") if one.get("datetime"))
    plain = {_plain(title) for title in titles}
    return plain - {""}, {day[:10] for value in days if (day := parse_published(value))}


def _plain(title: str) -> str:
    title = title.encode().decode("unicode_escape", "ignore") if "\\u" in title else title
    return " ".join(
        re.findall(r"\w+", lxml.html.fromstring(f"<p>{title or ' '}</p>").text_content().casefold())
    )


def ours(page: Page) -> Article | None:
    document = Document(
        page.content, Origin(page.name), page.name, ".html", known={"url": page.url}, known_from="crawl"
    )
    try:
        return clean(read(document)).article
    except NoArticleError:
        return None


def pages(folder: Path) -> Iterator[Page]:
    truths = json.loads((folder / "ground-truth.json").read_text())
    for name, truth in truths.items():
        content = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes())
        yield Page(name, content, truth["articleBody"], truth["url"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=Path, default=_DEFAULT)
    folder = parser.parse_args().pages
    if not (folder / "ground-truth.json").is_file():
        print(f"skipped: {folder} holds no judged pages (DATELINE_EVAL names their folder)")
        return
    judged = list(pages(folder))

    def bare(**options: Any) -> Callable[[Page], str]:  # noqa: ANN401  trafilatura's own
        return lambda page: trafilatura.extract(page.content, include_comments=False, **options) or ""

    articles: dict[str, Article | None] = {}

    def our_text(page: Page) -> str:
        article = articles[page.name] = ours(page)
        return article.text if article else ""

    our_text(judged[0])  # imports and caches are nobody's
    print(f"{len(judged)} pages    F1    precision  recall  pages/s")
    for name, extract in (
        ("dateline", our_text),
        ("trafilatura", bare()),
        ("  precision", bare(favor_precision=True)),
        ("  fast", bare(favor_precision=True, fast=True)),
    ):
        started = time.perf_counter()
        found = [extract(page) for page in judged]
        rate = len(judged) / (time.perf_counter() - started)
        f1, precision, recall = scores([(page.truth, text) for page, text in zip(judged, found, strict=True)])
        print(f"{name:12} {f1:.4f}  {precision:.4f}    {recall:.4f}  {rate:.1f}")
    misses = []
    counts = Counter[str]()
    for page in judged:
        article = articles[page.name]
        titles, days = stated(page.content.decode("utf-8", "replace"))
        title, day = (_plain(article.title), str(article.day)) if article else ("", "")
        counts["titles stated"] += bool(titles)
        counts["titles right"] += title in titles
        counts["days stated"] += bool(days)
        counts["days right"] += day in days
        if titles and title not in titles:
            misses.append(f"title {page.name[:8]}: {title!r}, stated {sorted(titles)}")
        if days and day not in days:
            misses.append(f"day {page.name[:8]}: {day}, stated {sorted(days)}")
    for what in ("titles", "days"):
        right, all_stated = counts[f"{what} right"], counts[f"{what} stated"]
        print(f"{what}: {right} of {all_stated} that pages state, {right / all_stated:.1%}")
    print(*misses, sep="\n")


if __name__ == "__main__":
    main()
