"""Words, marks, and each quotation as one token."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from indexer.models import Span


class Token(NamedTuple):
    text: str
    lower: str
    start: int
    end: int
    kind: Literal["word", "mark", "quote"]
    inner: Span = Span(0, 0)  # of a quote, the words

    @property
    def capital(self) -> bool:
        return self.kind == "word" and (self.text[0].isupper() or self.text[:3] in {"al-", "el-"})


LINE = re.compile(r"[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_TOKEN = re.compile(r"\w(?:[\w'’&@/-]|\.(?=\w))*\.?|[^\w\s]")
_MARK = re.compile("[\"“”]|''")
_ABBREVIATION = re.compile(
    r"(?:[A-Za-z]|(?:\w\.)+\w|Mrs?|Ms|Dr|Prof|Gen|Sens?|Reps?|Gov|Lt|Col|Sgt|Capt|Maj|Adm|Rev|Hon|St|Jr|Sr"
    r"|vs|No|Inc|Co|Corp|Ltd|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)\."
)


def tokenized(text: str, start: int, end: int) -> Iterator[Token]:
    for match in _TOKEN.finditer(text, start, end):
        word, at = match[0], match.start()
        if len(word) > 1 and word[-1] == "." and not _ABBREVIATION.fullmatch(word):
            yield Token(word[:-1], word[:-1].lower(), at, match.end() - 1, "word")
            yield Token(".", ".", match.end() - 1, match.end(), "mark")
        else:
            kind: Literal["word", "mark"] = "word" if word[0].isalnum() or word[0] == "_" else "mark"
            yield Token(word, word.lower(), at, match.end(), kind)


class Marked(NamedTuple):
    """What stands between two marks: `outer` with them. `goes_on`: its end was not marked."""

    outer: Span
    inner: Span
    goes_on: bool


def marked(text: str, start: int, end: int) -> list[Marked]:
    """The quotes of a paragraph. One that is not closed runs to the paragraph's end, where it opens it."""
    found = []
    opened: int | None = None
    begins, nested = start, 0
    for match in _MARK.finditer(text, start, end):
        at, mark = match.start(), match[0]
        before = text[at - 1] if at > start else " "
        after = text[match.end()] if match.end() < end else " "
        opens = mark == "“" or (
            mark in {'"', "''"} and (before.isspace() or before in "([—–-―") and not after.isspace()
        )
        # A wrong mark at a paragraph's beginning is an opening one.
        opens = opens or (opened is None and mark == "”" and at == start)
        if opens and opened is not None and mark != text[opened:begins]:
            nested += 1
        elif opens:
            opened, begins, nested = at, match.end(), 0
        elif nested:
            nested -= 1
        elif opened is not None:
            inner = _stripped(text, begins, at)
            if inner.start < inner.end:
                found.append(Marked(Span(opened, match.end()), inner, goes_on=False))
            opened = None
    if opened is not None and not text[start:opened].strip():
        inner = _stripped(text, begins, end)
        if inner.start < inner.end:
            found.append(Marked(Span(opened, end), inner, goes_on=True))
    return found


def _stripped(text: str, start: int, end: int) -> Span:
    inside = text[start:end]
    start += len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))
