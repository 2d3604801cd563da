"""Each story once: a page seen again becomes a version of its article, copies become one story."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import SequenceMatcher
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np

from indexer.boilerplate import line_keys, without_repeated
from indexer.duplicates import containment, groups, shingles, sign
from indexer.generation import Corpus, Stored
from indexer.local.corpus import CorpusWriter
from indexer.models import Article, Origin, Version
from indexer.passages import sentences

Kept = Literal["added", "updated", "older", "repeated", "taken"]
"""What became of an article: it is new; it took the place of what it updates; what it would update is
newer, so it went into the history; it says what is known already; its id belongs to another article."""

_SAME_STORY = 0.3  # share of three-word runs, for articles that claim one id or url
_REPEATED_IN = 5  # stories of a source
_REPEATED_SHARE = 0.02  # of a source's stories
_NEVER = datetime.max.replace(tzinfo=UTC)


def keep(
    corpus: CorpusWriter,
    article: Article,
    origin: Origin,
    *,
    seen_at: str,
    page: str,
    own_id: bool,
    known: int,
) -> tuple[Kept, str]:
    """Puts an article in the corpus: as a new one, or as a version of one that is there.

    An article is one that is there where it has its page, tells the same under its id, or comes under an
    id or from a file that the first `known` rows, those that were indexed before, hold: what comes then is
    newer. Of two others that share an id, the second gets a number where the first was given its id by us;
    where the source did (`own_id`), one of them needs another.

    Returns what became of it and, where something was there, its origin.
    """
    for number in count(1):
        if number > 1:
            article = replace(article, id=f"{article.id.removesuffix(f'~{number - 1}')}~{number}")
        taken = ""
        for found in corpus.find(article.id, page):
            same_id = found.article.id == article.id
            same_page = page == found.page != "" and (same_id or not own_id)
            same_file = origin.at is None and found.origin == str(origin)
            by_name = same_id and found.row < known and (own_id or same_file)
            if by_name or same_page or _tell_the_same(article, found.article):
                return _update(corpus, found, article, origin, seen_at, known), found.origin
            if same_id:
                taken = found.origin
        if taken and own_id:
            return "taken", taken
        if not taken:
            corpus.add(article, str(origin), seen_at, page)
            break
    return "added", ""


def _tell_the_same(one: Article, other: Article) -> bool:
    return one.text == other.text or containment(shingles(one.text), shingles(other.text)) >= _SAME_STORY


def _update(
    corpus: CorpusWriter, found: Stored, article: Article, origin: Origin, seen_at: str, known: int
) -> Kept:
    article = replace(article, id=found.article.id)
    if article == found.article:
        return "repeated"
    if found.row >= known and seen_at < found.seen_at:
        corpus.add_version(found.row, _version(article, seen_at))
        return "older"
    if _says_else(article, found.article):
        corpus.add_version(found.row, _version(found.article, found.seen_at))
    else:
        seen_at = found.seen_at
    corpus.replace(found.row, article, str(origin), seen_at)
    return "updated"


def _version(article: Article, seen_at: str) -> Version:
    return Version(seen_at, article.title, article.text, article.published_at)


def _says_else(one: Article, other: Article) -> bool:
    return (one.title, one.text) != (other.title, other.text)


def history(corpus: Corpus, stored: Stored) -> list[Version]:
    """Every version of an article, the oldest first, as it stands last."""
    return [*corpus.versions(stored.article.id), _version(stored.article, stored.seen_at)]


def changes(before: Version, after: Version) -> tuple[list[str], list[str]]:
    """The sentences that went and those that came between two versions, headlines among them."""
    old, new = ([version.title, *_sentences(version.text)] for version in (before, after))
    removed: list[str] = []
    added: list[str] = []
    for change, old_start, old_end, new_start, new_end in SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if change != "equal":
            removed.extend(old[old_start:old_end])
            added.extend(new[new_start:new_end])
    return removed, added


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text)]


def inherit(corpus: CorpusWriter, before: Corpus) -> None:
    """Takes over what is known of the articles' past from the collection as it was before."""
    repeated = corpus.repeated_lines()
    for old in before.articles():
        for found in corpus.find(old.article.id, ""):
            for version in before.versions(old.article.id):
                corpus.add_version(found.row, version)
            # A line that is known as boilerplate only now did not leave the story now.
            text, _ = without_repeated(old.article.text, repeated.get(old.article.source or "", ()))
            if _says_else(replace(old.article, text=text), found.article):
                corpus.add_version(found.row, _version(old.article, old.seen_at))
            else:
                corpus.replace(found.row, found.article, found.origin, min(old.seen_at, found.seen_at))


def group(corpus: CorpusWriter, trusted_sources: Sequence[str], workspace: Path) -> None:
    """Finds the copies of the pending articles' stories, and puts them in order.

    The first copy is that of the source named first in `trusted_sources`, then the earliest.
    """
    trust = {source: place for place, source in enumerate(trusted_sources)}

    def order(row: int) -> tuple[int, datetime, str]:
        article = corpus.article(row)
        return trust.get(article.source or "", len(trust)), article.moment or _NEVER, article.id

    pending = corpus.pending()
    for row in pending:
        corpus.set_signature(row, sign(corpus.article(row)))
    # Whoever shared a story with what changed or went is looked at again.
    fresh = corpus.bereft | set(pending)
    known = []
    for copies in corpus.stories():
        if fresh.isdisjoint(copies):
            known.append(copies)
        else:
            fresh.update(copies)
            for row in copies:
                corpus.set_story([row])
    everything = not corpus.before
    found = groups(
        corpus.signatures(), corpus.article, workspace, known=known, fresh=None if everything else fresh
    )
    for copies in found:
        if everything or not fresh.isdisjoint(copies):
            corpus.set_story(sorted(copies, key=order))


def drop_repeated_lines(corpus: CorpusWriter, *, most: int | None = None) -> Iterator[tuple[Article, str]]:
    """Takes out of the texts what the sources of the pending articles print under many stories, looking at
    the last `most` of each; yields each article and line.

    Copies and updates of one story share their lines by right: only its first copy counts.
    """
    pending = corpus.pending()
    names = sorted({source for row in pending if (source := corpus.source_of(row))})
    stories: list[int] = []
    sources, keys = array("L"), array("Q")
    for number, name in enumerate(names):
        rows = corpus.rows_of(name, most)
        stories.append(len(rows))
        for row in rows:
            found = set(line_keys(corpus.article(row).text))
            sources.extend([number] * len(found))
            keys.extend(found)
    before = corpus.repeated_lines()
    for number, key in _frequent(sources, keys, stories):
        corpus.add_repeated_lines(names[number], [key])
    repeated = corpus.repeated_lines()
    # A line that is known only now may stand in any article of its source.
    suspect = set(pending)
    for name in names:
        if repeated.get(name) != before.get(name):
            suspect.update(corpus.rows_of(name, copies=True))
    for row in sorted(suspect):
        article = corpus.article(row)
        if lines := repeated.get(article.source or ""):
            text, dropped = without_repeated(article.text, lines)
            if dropped:
                corpus.set_text(row, replace(article, text=text))
                yield from ((article, line) for line in dropped)


def _frequent(sources: "array[int]", keys: "array[int]", stories: list[int]) -> Iterator[tuple[int, int]]:
    """Source and key of the lines that stand in enough of a source's stories."""
    if not keys:
        return
    # In numpy, 16 bytes a line: a million stories have some millions of lines at their edges.
    pairs = np.stack([np.frombuffer(sources, dtype=np.uint64), np.frombuffer(keys, dtype=np.uint64)], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    starts = np.flatnonzero(np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(pairs)])
    for start in starts[counts >= _REPEATED_IN]:
        number, key = map(int, pairs[start])
        count = int(counts[np.searchsorted(starts, start)])
        if count >= _REPEATED_SHARE * stories[number]:
            yield number, key
