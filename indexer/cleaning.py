"""Boilerplate out, metadata found: one cleaned text that every offset refers to."""

import re
import unicodedata
from dataclasses import dataclass

from indexer.dates import date_line, parse_published
from indexer.models import Article, RawArticle

_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright\s*(?=©|\(c\)|\d{4}))\s*(?:©\s*|\(c\)\s*)?"
    r"(?:\d{4}\s*(?:[-–]\s*\d{4}\s*)?)?(?:by\s+)?(?P<owner>[^.|©]{0,80})",
    re.IGNORECASE,
)
# What asks the reader to do something; it may be a whole sentence.
_CALL = re.compile(
    r"(?:read (?:more|next|also)|sign up (?:for|to)|subscribe (?:to|now|here|today|for)|follow us"
    r"|share (?:this|on)|click here|skip to (?:main )?content|back to top|get our newsletter"
    r"|print this (?:page|article))(?!\w)",
    re.IGNORECASE,
)
# What labels a part of the page; a sentence that begins so is the story's.
_LABEL = re.compile(
    r"(?:related (?:stories|articles|topics|content)|more on this story|more from|subscribe"
    r"|advertisement|sponsored|all rights reserved|powered by|terms of (?:use|service)|privacy policy"
    r"|cookie (?:policy|settings)|comments? \(\d+\)|log ?in|most (?:read|popular)|newsletter)(?!\w)",
    re.IGNORECASE,
)
_NAME = r"(?![a-z])[^\W\d_][\w.'’-]*"
_BYLINE = re.compile(
    rf"[Bb][Yy]:?\s+(?P<author>{_NAME}(?:\s+(?:(?:and|da|de|del|der|di|la|van|von)\s+)*{_NAME}){{1,4}})"
    r"(?:\s*[,|].{0,60})?"
)
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*$")
_LONGEST_BOILERPLATE = 160  # characters; a longer line is a paragraph of the story
_LONGEST_HEADLINE = 150
_LONGEST_TEASER = 15  # words of another article's headline
_LONGEST_CALL = 25  # words of "Sign up for …"
_LONGEST_LABEL = 5  # words of "All rights reserved."
_LONGEST_LEAD_TITLE = 90


@dataclass(frozen=True, slots=True)
class Cleaned:
    """An article and what cleaning has to say about it."""

    article: Article | None
    """None where nothing was left of the text."""
    unread_date: str = ""
    """The source's date where it could not be read; the article is then undated."""


def clean(raw: RawArticle) -> Cleaned:
    """Removes page boilerplate around the story and fills in what the page text states.

    Metadata of the source wins over what stands in the text: title, date and author lines at
    its head, the owner in a copyright line at its end. An article without any title is called
    by its opening words.
    """
    lines = _lines(raw.text)
    head = _Head(raw.title)
    body = _without_tail(head.strip(lines))
    text = "\n\n".join(body)
    published = parse_published(raw.published) if raw.published.strip() else head.published
    unread_date = raw.published.strip() if raw.published.strip() and not published else ""
    if not text:
        return Cleaned(None, unread_date)
    return Cleaned(
        Article(
            id=_SURROGATES.sub("\ufffd", raw.id),
            text=text,
            title=head.title or _lead(text),
            published_at=published or head.published,
            source=_one_line(raw.source) or _owner(lines) or None,
            author=_one_line(raw.author) or head.author or None,
            url=_one_line(raw.url) or None,
        ),
        unread_date,
    )


def _lines(text: str) -> list[str]:
    """The text's lines without what no reader sees: NFC, plain spaces, no control characters."""
    text = _SURROGATES.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    lines = (_SPACES.sub(" ", line).strip() for line in re.split(r"[\n\u2028\u2029]", text))
    return [line for line in lines if line]


def _one_line(value: str) -> str:
    return " ".join(_lines(value))


class _Head:
    """The lines above the story: its title, who wrote it, when."""

    def __init__(self, title: str) -> None:
        self.title = _one_line(title)
        self.published: str | None = None
        self.author = ""

    def strip(self, lines: list[str]) -> list[str]:
        start = 0
        while start < len(lines) - 1 and self._takes(lines[start]):
            start += 1
        return lines[start:]

    def _takes(self, line: str) -> bool:
        if day := date_line(line):
            # The first of "Published … / Updated …" is when the story appeared.
            self.published = self.published or day
            return True
        if len(line) <= _LONGEST_BOILERPLATE and (byline := _BYLINE.fullmatch(line)):
            self.author = self.author or byline["author"]
            return True
        if _is_boilerplate(line) or line == self.title:
            return True
        if not self.title and len(line) <= _LONGEST_HEADLINE and not _SENTENCE_END.search(line):
            self.title = line
            return True
        return False


def _without_tail(lines: list[str]) -> list[str]:
    """Drops what pages print below a story: teasers, dates of other articles, copyright.

    Goes up from the end. A line that is no sentence goes too where boilerplate stands below
    it (the headline of another article above its date); a story's own line never does.
    """
    end = len(lines)
    while end and (
        _is_boilerplate(lines[end - 1])
        or date_line(lines[end - 1])
        or (end < len(lines) and not _SENTENCE_END.search(lines[end - 1]) and _is_short(lines[end - 1]))
    ):
        end -= 1
    # Between paragraphs only what cannot be a sentence of the story goes.
    return [line for line in lines[:end] if not (_is_boilerplate(line) and not _SENTENCE_END.search(line))]


def _is_short(line: str) -> bool:
    return len(line.split()) <= _LONGEST_TEASER


def _is_boilerplate(line: str) -> bool:
    words = len(line.split())
    if len(line) > _LONGEST_BOILERPLATE or words > _LONGEST_CALL:
        return False
    is_sentence = bool(_SENTENCE_END.search(line)) and words > _LONGEST_LABEL
    return bool(_COPYRIGHT.match(line) or _CALL.match(line) or (_LABEL.match(line) and not is_sentence))


def _owner(lines: list[str]) -> str:
    """Whom the page's copyright line names, with the year and "All rights reserved" left out."""
    for line in reversed(lines):
        if len(line) <= _LONGEST_BOILERPLATE and (match := _COPYRIGHT.match(line)):
            return match["owner"].strip(" ,;:-")
    return ""


def _lead(text: str) -> str:
    """The opening words of a text, as a name for an article that has no title."""
    line = text.split("\n", 1)[0]
    if len(line) <= _LONGEST_LEAD_TITLE:
        return line
    return line[:_LONGEST_LEAD_TITLE].rsplit(" ", 1)[0].rstrip(" ,;:-") + " …"
