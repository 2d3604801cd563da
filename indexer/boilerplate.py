"""What stands around a story and is none of it: told by its place and its words, line by line."""

import hashlib
import re
from collections.abc import Container
from dataclasses import dataclass
from typing import NamedTuple

from indexer.dates import date_line

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
SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*$")
_LONGEST_BOILERPLATE = 160  # characters; a longer line is a paragraph of the story
_LONGEST_HEADLINE = 150
_LONGEST_TEASER = 15  # words of another article's headline
_LONGEST_CALL = 25  # words of "Sign up for …"
_LONGEST_LABEL = 5  # words of "All rights reserved."
_MENU = 4  # lines in a row
_LONGEST_MENU_ITEM = 3  # words
_EDGE = 4  # lines at each end of a text
# Of a text that was copied with the page around it:
_NAVIGATION = 8  # short lines above the story
_SHORT = 4  # words of a short line, letters of a short word
_FEWEST_WORDS = 6  # of a sentence that makes a paragraph
_MANY_WORDS = 25  # that make one without a full stop
_APART = 2  # lines between two paragraphs of one stretch
_STORY_SHARE = 0.15  # of the longest stretch's words, for another to be the story's
_ABOVE = 15  # lines between headline and story
_BEGINNING = 40  # lines of a story that are compared with its headline
_DIGITS = re.compile(r"\d")


class Removed(NamedTuple):
    """A line that is not the story's, and what it was taken for."""

    line: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """A story's own lines, and what the lines around it state; empty where they do not."""

    lines: list[str]
    title: str
    published: str = ""
    author: str = ""
    source: str = ""
    removed: tuple[Removed, ...] = ()


def story_of(lines: list[str], title: str) -> Story:
    """Tells a story from the page that it was copied with. `title` is what is known of it, empty for nothing.

    Title, date and author lines are taken from its head, the owner from a copyright line below.
    """
    head = _Head(title)
    story = _without_tail(head.strip(_of_page(lines, head)), head.removed)
    return Story(story, head.title, head.published, head.author, _owner(lines), tuple(head.removed))


def line_keys(text: str) -> list[int]:
    """Keys of the lines that could be a source's boilerplate, where they repeat: equal keys, equal lines,
    of what is no sentence but for the digits. A sentence inside a story is none: agencies repeat those."""
    lines = text.split("\n\n")
    return [_key(line) for place, line in enumerate(lines) if _could_be_repeated(place, lines)]


def without_repeated(text: str, repeated: Container[int]) -> tuple[str, tuple[str, ...]]:
    """The text without the lines of these keys, and the lines that went; never without any."""
    lines = text.split("\n\n")
    gone = [_could_be_repeated(place, lines) and _key(line) in repeated for place, line in enumerate(lines)]
    if not any(gone) or all(gone):
        return text, ()
    pairs = list(zip(lines, gone, strict=True))
    return "\n\n".join(line for line, out in pairs if not out), tuple(line for line, out in pairs if out)


def _could_be_repeated(place: int, lines: list[str]) -> bool:
    line = lines[place]
    at_edge = place < _EDGE or place >= len(lines) - _EDGE
    return len(line) <= _LONGEST_BOILERPLATE and (at_edge or not SENTENCE_END.search(line))


def _key(line: str) -> int:
    folded = line.casefold()
    if not SENTENCE_END.search(line):  # "3 min read"; but "It was 14 degrees." is news each day
        folded = _DIGITS.sub("0", folded)
    return int.from_bytes(hashlib.blake2b(folded.encode(), digest_size=8).digest())


class _Head:
    """The lines above the story: its title, who wrote it, when. `removed` collects what goes."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.published = ""
        self.author = ""
        self.removed: list[Removed] = []

    def strip(self, lines: list[str]) -> list[str]:
        start = 0
        while start < len(lines) - 1 and (reason := self.takes(lines, start)):
            self.removed.append(Removed(lines[start], reason))
            start += 1
        return lines[start:]

    def takes(self, lines: list[str], place: int) -> str:
        """What a line above the story is; empty for the story's own."""
        line = lines[place]
        if day := date_line(line):
            # The first of "Published … / Updated …" is when the story appeared.
            self.published = self.published or day
            return "date line"
        if len(line) <= _LONGEST_BOILERPLATE and (byline := _BYLINE.fullmatch(line)):
            self.author = self.author or byline["author"]
            return "byline"
        if reason := _boilerplate(line):
            return reason
        if line == self.title:
            return "title"
        if not self.title and _is_menu(lines, place):
            return "navigation"
        if not self.title and len(line) <= _LONGEST_HEADLINE and not SENTENCE_END.search(line):
            self.title = line
            return "title"
        return ""


def _of_page(lines: list[str], head: _Head) -> list[str]:
    """The story's lines where a text was copied with the page around it; all lines where it was not.

    That it was, the menus above it tell. The story is then in stretches of paragraphs, each of a size with
    the longest; what stands between and around them goes, lists between their paragraphs stay.
    """
    if sum(map(_is_label, lines)) < _NAVIGATION:
        return lines
    stretches = _stretches(lines)
    if not stretches or sum(map(_is_label, lines[: stretches[0].start])) < _NAVIGATION:
        return lines
    start = stretches[0].start
    headline = start if head.title else _headline(lines, start)
    kept = {place for stretch in stretches for place in stretch}
    for place, line in enumerate(lines):
        if place not in kept:
            found = head.takes(lines, place) if headline <= place < start else ""
            head.removed.append(Removed(line, found or "page around the story"))
    return [lines[place] for place in sorted(kept)]


def _is_label(line: str) -> bool:
    return len(line.split()) <= _SHORT and not SENTENCE_END.search(line)


def _stretches(lines: list[str]) -> list[range]:
    """Where paragraphs stand close to each other, as long as the longest such stretch is by much."""
    counts = [len(line.split()) for line in lines]
    stretches: list[range] = []
    for place, (line, words) in enumerate(zip(lines, counts, strict=True)):
        sentence = words >= _FEWEST_WORDS and SENTENCE_END.search(line)
        if (sentence or words >= _MANY_WORDS) and not _boilerplate(line):
            if stretches and place - stretches[-1].stop <= _APART:
                stretches[-1] = range(stretches[-1].start, place + 1)
            else:
                stretches.append(range(place, place + 1))
    sizes = [sum(counts[stretch.start : stretch.stop]) for stretch in stretches]
    least = _STORY_SHARE * max(sizes, default=0)
    return [stretch for stretch, size in zip(stretches, sizes, strict=True) if size >= least]


def _headline(lines: list[str], start: int) -> int:
    """The line above a story that shares most of its words with it; `start` where there is none."""
    told = _long_words(" ".join(lines[start : start + _BEGINNING]))
    found: dict[int, int] = {}
    for place in range(max(0, start - _ABOVE), start):
        line = lines[place]
        other = _is_label(line) or _boilerplate(line) or date_line(line) or _BYLINE.fullmatch(line)
        if not other and len(line) <= _LONGEST_HEADLINE:
            words = _long_words(line)
            found[place] = len(words & told) - len(words - told)
    return max(found, key=lambda place: found[place], default=start)


def _long_words(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.casefold()) if len(word) > _SHORT}


def _is_menu(lines: list[str], place: int) -> bool:
    """A word or two among others like it: "Home / World / Sport". A headline stands alone."""
    block = lines[place : place + _MENU]
    return len(block) == _MENU and all(
        len(line.split()) <= _LONGEST_MENU_ITEM and not SENTENCE_END.search(line) for line in block
    )


def _without_tail(lines: list[str], removed: list[Removed]) -> list[str]:
    """Drops what pages print below a story: teasers, dates of other articles, copyright.

    Goes up from the end. A line that is no sentence goes too where boilerplate stands below
    it (the headline of another article above its date); a story's own line never does.
    """
    end = len(lines)
    below: list[Removed] = []
    while end:
        line = lines[end - 1]
        reason = _boilerplate(line) or ("date line" if date_line(line) else "")
        if not reason and end < len(lines) and not SENTENCE_END.search(line) and _is_short(line):
            reason = "teaser"
        if not reason:
            break
        below.append(Removed(line, reason))
        end -= 1
    body = []
    for line in lines[:end]:
        # Between paragraphs only what cannot be a sentence of the story goes.
        reason = _boilerplate(line)
        if reason and not SENTENCE_END.search(line):
            removed.append(Removed(line, reason))
        else:
            body.append(line)
    removed.extend(reversed(below))
    return body


def _is_short(line: str) -> bool:
    return len(line.split()) <= _LONGEST_TEASER


def _boilerplate(line: str) -> str:
    """What kind of boilerplate a line is, wherever it stands; empty for none."""
    words = len(line.split())
    if len(line) > _LONGEST_BOILERPLATE or words > _LONGEST_CALL:
        return ""
    is_sentence = bool(SENTENCE_END.search(line)) and words > _LONGEST_LABEL
    if _COPYRIGHT.match(line):
        return "copyright line"
    if _CALL.match(line):
        return "call to the reader"
    return "label" if _LABEL.match(line) and not is_sentence else ""


def _owner(lines: list[str]) -> str:
    """Whom the page's copyright line names, with the year and "All rights reserved" left out."""
    for line in reversed(lines):
        if len(line) <= _LONGEST_BOILERPLATE and (match := _COPYRIGHT.match(line)):
            return match["owner"].strip(" ,;:-")
    return ""
