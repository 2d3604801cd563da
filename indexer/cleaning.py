"""Boilerplate out, metadata found: one cleaned text that every offset refers to."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from indexer.boilerplate import SENTENCE_END, Removed, Story, story_of
from indexer.dates import parse_published, url_day
from indexer.models import Article, DatedBy, RawArticle

_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_LONGEST_LEAD_TITLE = 90  # characters
_LANGUAGE_SAMPLE = 500  # characters
_FEWEST_LETTERS = 60
_LANGUAGE = re.compile(r"[A-Za-z]{2}(?![A-Za-z])")
_BLANK = re.compile(r"\n[ \t\r]*\n")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An article and what cleaning has to say about it."""

    article: Article | None
    """None where nothing was left of the text."""
    unread_date: str = ""
    """The source's date where it could not be read."""
    found: Mapping[str, str] = field(default_factory=dict)
    """Where each field of the article was found."""
    removed: tuple[Removed, ...] = ()


def clean(raw: RawArticle) -> Cleaned:
    """Removes page boilerplate around the story and fills in what the page text states.

    Metadata of the source wins over what stands in the text: title, date and author lines at
    its head, the owner in a copyright line at its end. An article without any title is called
    by its opening words.
    """
    story = _story(raw)
    text = "\n\n".join(story.lines)
    published, dated_by, dated_where, unread_date = _dated(raw, story)
    if not text:
        return Cleaned(None, unread_date, removed=story.removed)
    stated = {
        field: raw.found.get(field, "stated") for field in ("title", "source", "author", "language", "url")
    }
    language = _stated_language(raw.language)
    facts = {
        "title": _first(
            (_one_line(raw.title), stated["title"]),
            (story.title, "first line"),
            (_lead(text), "opening words"),
        ),
        "published": (published, dated_where),
        "source": _first((_one_line(raw.source), stated["source"]), (story.source, "copyright line")),
        "author": _first((_one_line(raw.author), stated["author"]), (story.author, "byline")),
        "language": (language, stated["language"]) if language else (_language(text), "told by its words"),
        "url": (_link(raw.url), stated["url"]),
    }
    article = Article(
        id=_SURROGATES.sub("\ufffd", raw.id or raw.place),
        text=text,
        title=facts["title"][0] or "",
        published_at=published,
        source=facts["source"][0],
        author=facts["author"][0],
        url=facts["url"][0],
        language=facts["language"][0],
        dated_by=dated_by,
    )
    found = {name: where for name, (value, where) in facts.items() if value}
    return Cleaned(article, unread_date, found, story.removed)


def _story(raw: RawArticle) -> Story:
    """The story's lines: of what an extractor found all, but for the title on top."""
    title = _one_line(raw.title)
    if not raw.extracted:
        return story_of(_lines(_unwrapped(raw.text)), title)
    lines = _lines(raw.text)
    return Story(lines[1:] if len(lines) > 1 and lines[0] == title else lines, title)


def _first(*candidates: tuple[str, str]) -> tuple[str | None, str]:
    """The first value that is not empty, and where it was found."""
    return next(((value, where) for value, where in candidates if value), (None, ""))


def _dated(raw: RawArticle, story: Story) -> tuple[str | None, DatedBy | None, str, str]:
    """The date, what states it and where, and the source's date where that cannot be read. In this trust:
    metadata, the url, the text; never the time of a file."""
    stated = parse_published(raw.published) if raw.published.strip() else None
    unread = raw.published.strip() if raw.published.strip() and not stated else ""
    where = raw.found.get("published", "stated")
    if stated and raw.published_by == "metadata":
        return stated, "metadata", where, unread
    if day := url_day(raw.url):
        return day, "url", "url", unread
    if stated:
        return stated, "text", where, unread
    if story.published:
        return story.published, "text", "date line", unread
    return None, None, "", unread


def _stated_language(stated: str) -> str | None:
    match = _LANGUAGE.match(stated.strip())
    return match[0].lower() if match else None


def _language(text: str) -> str | None:
    """The language that the words are of; None for a text too short to tell."""
    start = text[:_LANGUAGE_SAMPLE]
    if sum(map(str.isalpha, start)) < _FEWEST_LETTERS:
        return None
    import py3langid  # noqa: PLC0415  loads its tables of n-grams

    language, _ = py3langid.classify(start)
    return str(language)


def _unwrapped(text: str) -> str:
    """Paragraphs that are broken over lines of one width, joined again."""
    return "\n\n".join(_paragraph(block.strip("\n")) for block in _BLANK.split(text))


def _paragraph(block: str) -> str:
    """A block of lines of about one width, most of which end inside a sentence, is one paragraph."""
    lines = [line.strip() for line in block.split("\n")]
    broken = lines[:-1]
    if len(broken) < 2:  # noqa: PLR2004  two lines have no common width
        return block
    widths = sorted(map(len, broken))
    inside = sum(not SENTENCE_END.search(line) for line in broken)
    if widths[0] >= 40 and widths[-1] <= 100 and inside > len(broken) / 2:  # noqa: PLR2004
        return " ".join(lines)
    return block


def _lines(text: str) -> list[str]:
    """The text's lines without what no reader sees: NFC, plain spaces, no control characters."""
    text = _SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    lines = (_SPACES.sub(" ", line).strip() for line in re.split(r"[\n\u2028\u2029]", text))
    return [line for line in lines if line]


def _one_line(value: str) -> str:
    return " ".join(_lines(value))


def _link(url: str) -> str | None:
    """A url as it may be followed: never one that would run as a script."""
    url = _one_line(url)
    scheme = url.partition(":")[0].casefold() if ":" in url else ""
    return url if url and scheme in {"", "http", "https"} else None


def _lead(text: str) -> str:
    """The opening words of a text, as a name for an article that has no title."""
    line = text.split("\n", 1)[0]
    if len(line) <= _LONGEST_LEAD_TITLE:
        return line
    return line[:_LONGEST_LEAD_TITLE].rsplit(" ", 1)[0].rstrip(" ,;:-") + " …"
