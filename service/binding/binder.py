"""The gate for written sentences: each claims what its verbatim quotes bear out, or is none."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product

from indexer.words import stems
from service.binding.cleaning import cleaned
from service.binding.frame import Joint, Telling, is_said, joints, names_speaker
from service.binding.ground import Ground, Place
from service.binding.words import ORDERS, PERSONAL, POINTING, words_of
from service.evidence import Statement, straightened
from service.retrieval import Hit

_FEWEST_WORDS = 3  # of the quotation that a sentence needs
_LONGEST = 2000  # characters of a sentence
_MOST_MARKS = 16
_MOST_PLACES = 6  # of one fragment that are tried
_MOST_TRIED = 48  # of their combinations, and of the ways to read what stands around them
_FOREIGN = re.compile(
    r"[\[\]{}<>|\\【】〔〕⟦⟧?!]"
)  # what is left of citations and markup, and what is no claim
_EDGES = re.compile(r"^(?:\.\.\.|…|\s)+|(?:\.\.\.|…|\s)+$")
_SHAVED = ",.;:"
_UNITS = frozenset("percent per".split())


@dataclass(frozen=True, slots=True)
class _Fragment:
    """What stands between two marks, by places of the sentence: `start` and `end` with the marks, `inner` as
    it is looked for."""

    start: int
    end: int
    inner: str
    tail: str  # the writer's own comma or full stop

    @property
    def is_long(self) -> bool:
        return len(words_of(straightened(self.inner))) >= _FEWEST_WORDS


class Binder:
    """Binds sentences to the passages that their writer was given, numbered from 1 in this order."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._grounds = [Ground(number, hit) for number, hit in enumerate(hits, start=1)]

    def bind(self, sentence: str, after: Statement | None = None) -> Statement | None:
        """The sentence without foreign citations, and the verbatim quotes that bear it out; None where
        none do.

        It is whole sentences of a passage, or it quotes at least three words of one between double marks.
        Around them stand only the words that stand next to them there, in their order, and who says it, as
        the index knows; what nobody says begins as its sentence does, or the article is named. What turns or
        weakens the words there is a part of what is written. Its citations only choose between passages that
        hold the same words. With "he" for whom it quotes it has to follow `after`, which quotes the same
        speaker.
        """
        text, cited = cleaned(sentence)
        if not text or len(text) > _LONGEST or ORDERS.search(text):
            return None
        grounds = sorted(self._grounds, key=lambda ground: ground.number not in cited)
        for place in _places(grounds, text):
            if place.is_whole:
                return Statement(" ".join(place.quote.text.split()), (place.quote,))
        titled = {
            ground.article.title: None for ground in grounds if _masked(text, ground.article.title) != text
        }
        for title in [None, *titled]:
            masked = _masked(text, title) if title else text
            of_title = [ground for ground in grounds if title is None or ground.article.title == title]
            if places := self._borne_out(of_title, masked, after):
                return _stated(text, *places)
        return None

    def _borne_out(
        self, grounds: Sequence[Ground], text: str, after: Statement | None
    ) -> tuple[list[_Fragment], Sequence[Place]] | None:
        fragments = _fragments(grounds, text)
        if not fragments or not any(fragment.is_long for fragment in fragments):
            return None
        segments = _segments(text, fragments)
        if any(_FOREIGN.search(segment) for segment in segments):
            return None
        candidates = [list(islice(_places(grounds, one.inner), _MOST_PLACES)) for one in fragments]
        for places in islice(product(*candidates), _MOST_TRIED):
            if _near(fragments, places) and self._bears_out(segments, places, after):
                return fragments, places
        return None

    def _bears_out(self, segments: Sequence[str], places: Sequence[Place], after: Statement | None) -> bool:
        sides = zip([None, *places], segments, [*places, None], strict=True)
        readings = [list(islice(joints(segment, left, right), _MOST_TRIED)) for left, segment, right in sides]
        return any(self._holds(reading, places, after) for reading in islice(product(*readings), _MOST_TRIED))

    def _holds(self, reading: Sequence[Joint], places: Sequence[Place], after: Statement | None) -> bool:
        """Whether all is so, of one way to read what stands around the quotations."""
        tellings = _tellings(reading)
        named: set[tuple[str, str | None]] = set()
        for number, place in enumerate(places):
            before, behind = reading[number], reading[number + 1]
            whole = place.grown(before.before, behind.behind)
            told = tellings[number]
            if not (_is_whole(whole) and _keeps_sense(whole, told)):
                return False
            if not all(is_said(one, whole) for one in told) or not (told or _is_narrated(whole)):
                return False
            if before.before and not _begins_so(whole):
                return False
            lends = before.joins and not reading[number - 1].before
            # "The wall held" and “broke at one”: who or what broke?
            if number and not (before.head or lends or whole.begins_clause):
                return False
            by_name = any(map(names_speaker, told))
            if (told and not by_name) or _tells_of_him(whole, place):
                if (place.ground.article.id, whole.teller) not in named and not self._goes_on(whole, after):
                    return False
            elif by_name:
                named.add((place.ground.article.id, whole.teller))
        return True

    def _goes_on(self, place: Place, after: Statement | None) -> bool:
        """Whether "he" is whom the statement before quotes, by name."""
        speaker = place.teller
        if not after or not speaker or not speaker[0].isupper():
            return False
        said_before = {
            (ground.article.id, told.speaker)
            for ground in self._grounds
            for quote in after.quotes
            if ground.article.id == quote.article_id and (told := ground.telling(quote.place))
        }
        named = {word.text for word in words_of(straightened(after.text))}
        known_as = words_of(straightened(speaker))[-1].text
        return said_before == {(place.ground.article.id, speaker)} and known_as in named


# Fragments and where they stand.


def _pattern(text: str) -> "re.Pattern[str]":
    """Finds a text whatever its spaces and kinds of marks; its first letter may be of either case, and
    neither end lies inside a word or a number."""
    words = []
    for word in straightened(text).split():
        escaped = re.sub(r"(?<!\w)['\"]|['\"](?!\w)", "\0", word)
        words.append(re.escape(escaped).replace("\0", "['\"]").replace("\\\0", "['\"]"))
    pattern = r"\s+".join(words)
    if text[:1].isalpha():
        pattern = (
            f"[{text[0].lower()}{text[0].upper()}]{pattern[1:]}" if len(text[0].upper()) == 1 else pattern
        )
    before = r"(?<![\w-])(?<!\w')(?<!\d[.,:])(?<![$€£¥])" if text[:1].isalnum() else ""
    behind = r"(?!\w|['-]\w|[.,:]\d|\s?%)" if text[-1:].isalnum() else ""
    return re.compile(before + pattern + behind)


def _places(grounds: Sequence[Ground], text: str) -> Iterator[Place]:
    pattern = _pattern(text)
    for ground in grounds:
        yield from ground.places(pattern)


def _stands(grounds: Sequence[Ground], text: str) -> bool:
    return any(True for _ in _places(grounds, text))


def _fragments(grounds: Sequence[Ground], text: str) -> list[_Fragment]:
    """All that stands between double marks; empty where some of it stands in no passage.

    A mark closes with the last one that makes what lies between verbatim: that is how quotes within quotes
    are told apart, of whatever kind their marks.
    """
    marks = [at for at, letter in enumerate(straightened(text)) if letter == '"']
    if len(marks) > _MOST_MARKS:
        return []
    found: list[_Fragment] = []
    while marks:
        start = marks[0]
        for end in reversed(marks[1:]):
            if fragment := _fragment(grounds, text, start, end + 1):
                found.append(fragment)
                marks = [at for at in marks if at > end]
                break
        else:
            return []
    return found


def _fragment(grounds: Sequence[Ground], text: str, start: int, end: int) -> _Fragment | None:
    inner = _EDGES.sub("", text[start + 1 : end - 1])
    shaved = inner.rstrip(_SHAVED)
    for candidate in dict.fromkeys((inner, shaved)):
        if any(map(str.isalnum, candidate)) and _stands(grounds, candidate):
            return _Fragment(start, end, candidate, inner[len(candidate) :])
    return None


def _near(fragments: Sequence[_Fragment], places: Sequence[Place]) -> bool:
    """Whether each short fragment stands in the sentence of a long one: a word alone stands anywhere."""
    long = [place for fragment, place in zip(fragments, places, strict=True) if fragment.is_long]
    return all(any(one.shares_sentence(place) for one in long) for place in places)


def _stated(text: str, fragments: Sequence[_Fragment], places: Sequence[Place]) -> Statement:
    """The sentence, with what stands between its marks as it is stored."""
    written, at = "", 0
    for fragment, place in zip(fragments, places, strict=True):
        stored = " ".join(place.quote.text.split())
        written += text[at : fragment.start + 1] + stored + fragment.tail + text[fragment.end - 1]
        at = fragment.end
    return Statement(written + text[at:], tuple(place.quote for place in places))


# What is written around them.


def _segments(text: str, fragments: Sequence[_Fragment]) -> list[str]:
    """What stands before, between and behind the fragments, one more than these; marks are straight."""
    ends = [0, *(at for fragment in fragments for at in (fragment.start, fragment.end)), len(text)]
    plain = straightened(text)
    return [plain[start:end] for start, end in zip(ends[::2], ends[1::2], strict=True)]


def _masked(text: str, title: str) -> str:
    """A text in which a title between marks is "the article", of the same length."""
    pattern = rf'["\']{re.escape(straightened(title))}[,.]?["\']'
    name = "the article"
    return (
        re.sub(
            pattern,
            lambda match: (name if len(match[0]) >= len(name) else match[0]).ljust(len(match[0])),
            straightened(text),
            flags=re.IGNORECASE,
        )
        if title
        else text
    )


def _tellings(reading: Sequence[Joint]) -> list[list[Telling]]:
    """Who is said to say each quotation. "Hallam says “…” and “…”": both are hers; "“…” and “…”, says
    Hallam" as well."""
    found = [[one for one in (before.head, behind.tail) if one] for before, behind in pairwise(reading)]
    for number in range(1, len(found)):
        found[number] = found[number] or found[number - 1]
    for number in range(len(found) - 2, -1, -1):
        if not found[number] and not reading[number + 1].head:
            found[number] = found[number + 1]
    return found


def _is_whole(place: Place) -> bool:
    """Whether it holds nobody's words unsaid, and no part of a number."""
    held = words_of(place.ground.text[slice(*place.span)])
    around = [*place.before[-1:], held[0]], [held[-1]._replace(behind=place.gap), *place.behind[:1]]
    cut = any(
        one.number and (other.number or other.text in _UNITS) and not one.behind.strip()
        for one, other in (pair for pair in around if len(pair) == 2)  # noqa: PLR2004
    )
    return not cut and not place.is_mixed


def _is_narrated(place: Place) -> bool:
    """Whether it is the article's own, from the beginning of a sentence on, which says of whom."""
    return not place.is_told and place.begins_sentence and place.first not in POINTING


def _tells_of_him(whole: Place, place: Place) -> bool:
    """Whether the source's words outside of the marks are "she said"."""
    told = whole.own_telling
    teller = told.speaker_place if told else None
    if not teller or (place.at.start <= teller.start and teller.end <= place.at.end):
        return False
    return whole.ground.article.text[slice(*teller)].lower() in PERSONAL


def _begins_so(place: Place) -> bool:
    """Whether the source's words before the marks have all of what is spoken of: not "the mayor" of "the wife
    of the mayor". "He" is nobody, unless a speaker says it."""
    return place.begins_clause and (place.first not in PERSONAL or place.told is not None)


def _keeps_sense(place: Place, told: Sequence[Telling]) -> bool:
    """Whether what turns, weakens or conditions it in its source is a part of what is written."""
    if place.is_conditional or place.is_contrary:
        return False
    if place.is_turned and not any(one.is_negated for one in told):
        return False
    said = {stem for one in told for stem in stems(one.verb)}
    return all(said.issuperset(stems(word.text)) for word in place.clause if word.doubts)
