"""A model's text as it comes, sentence by sentence."""

import re

from indexer.models import Span
from indexer.passages import sentences

_LONGEST = 2000  # characters of a sentence; what is longer is cut
_AHEAD = 40  # characters behind an end that tell whether it is one
_BACK = 200  # characters before it that do
_LINE_END = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ENDS, _WIDE_ENDS = ".!?", "。！？"  # the wide ones need no space behind them
_NOTED = re.compile(f'["“”„‟«»″{_ENDS}{_WIDE_ENDS}]')
_CLOSED_BY = {"“": "”", "„": "“”", "«": "»", "»": "«", "”": "”", "‟": "”", '"': '"', "″": '″"'}
_MARKER = r"(?:\[[^\]]{0,30}\]|【[^】]{0,30}】|\((?:passage|source|article|\d)[^)]{0,20}\))"
_TRAIL = re.compile(rf"(?:\s*{_MARKER})*\s*", re.IGNORECASE)
_WORD = re.compile(r"\w[\w'’-]*")


class Sentences:
    """Feed it a text in any pieces: the same sentences come out, each as soon as it is surely complete.

    A line's end ends a sentence. What stands between double marks does not, and a mark that is left open
    closes with its line. Citations behind a sentence's end belong to it. White space around is taken off.
    """

    def __init__(self) -> None:
        self._begin("")

    def _begin(self, text: str) -> None:
        self._text = text  # from the beginning of the sentence that is under way
        self._seen = 0  # characters of it that are judged
        self._quoted: list[Span] = []  # what stands between marks, with them
        self._opened = 0
        self._closing = ""  # the marks of which one closes what is open

    def feed(self, text: str) -> list[str]:
        """The sentences that this piece completes, in order."""
        self._text += text
        return self._taken(last=False)

    def close(self) -> list[str]:
        """The rest, complete or not."""
        return self._taken(last=True)

    def _taken(self, *, last: bool) -> list[str]:
        found = []
        while self._text and (end := self._end(last=last)):
            found.append(self._text[:end].strip())
            self._begin(self._text[end:])
        return [sentence for sentence in found if sentence]

    def _end(self, *, last: bool) -> int | None:
        """Where the sentence under way ends; None where only more text can tell."""
        line = _LINE_END.search(self._text, self._seen, _LONGEST + _AHEAD)
        whole = line.start() if line else len(self._text)
        while match := _NOTED.search(self._text, self._seen, min(whole, _LONGEST)):
            # Whatever the pieces: an end is judged by the same characters.
            if not (line or last) and len(self._text) < match.end() + _AHEAD:
                return None
            self._seen = match.end()
            if self._may_end(match):
                ahead = Span(match.end(), min(whole, match.end() + _AHEAD))
                if (trail := self._trail(ahead)) is not None:
                    return match.end() + trail
        if line and line.start() <= _LONGEST:
            return line.end()
        self._seen = min(whole, _LONGEST)
        return self._seen if last or self._seen == _LONGEST else None

    def _may_end(self, match: "re.Match[str]") -> bool:
        """Takes note of a mark or a full stop. Whether it could end the sentence."""
        mark, at = match[0], match.start()
        if mark in _ENDS or mark in _WIDE_ENDS:
            return not self._closing
        if not self._closing:
            self._opened, self._closing = at, _CLOSED_BY[mark]
            return False
        if mark not in self._closing:
            return False
        self._quoted.append(Span(self._opened, match.end()))
        self._closing = ""
        return self._text[at - 1] in _ENDS + _WIDE_ENDS

    def _trail(self, ahead: Span) -> int | None:
        """The length of what belongs to a sentence that ends where `ahead` begins; None where it goes on."""
        behind = self._text[ahead.start : ahead.end]
        trail = _TRAIL.match(behind)
        length = trail.end() if trail else 0
        if length == len(behind):
            return length
        if self._text[ahead.start - 1] in _WIDE_ENDS:
            return None if behind[:1] in _ENDS + _WIDE_ENDS else length
        following = _WORD.search(behind, length)
        if not length or not following or following[0][0].islower():
            return None
        before = list(self._text[: ahead.start])
        for start, end in self._quoted:
            stop = before[end - 2] if before[end - 2] in _ENDS else "x"
            before[start:end] = "x" * (end - start - 1) + stop
        masked = "".join(before)[-_BACK:]
        return length if sentences(f"{masked} {following[0]}")[-1].start >= len(masked) else None
