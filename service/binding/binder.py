"""The gate for written sentences: each claims what its verbatim quotes bear out, or is none."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product, zip_longest

from indexer.fulltext import stems
from indexer.quotes.words import PREPOSITIONS, TELLS
from service.binding.cleaning import cleaned
from service.binding.ground import Ground, Place
from service.binding.words import (
    ATTRIBUTION,
    CONDITION,
    FUNCTION,
    MODAL,
    OPINION,
    ORDERS,
    PERSONAL,
    PLAIN_NEGATIONS,
    POINTING,
    SAYING,
    Word,
    turning,
    words_of,
)
from service.evidence import Statement, straightened
from service.retrieval import Hit

_FEWEST_WORDS = 3  # of the quotation that a sentence needs
_LONGEST = 2000  # characters of a sentence
_MOST_MARKS = 16
_MOST_PLACES = 6  # of one fragment that are tried
_MOST_TRIED = 48  # of their combinations
_FOREIGN = re.compile(r"[\[\]{}<>|\\【】〔〕⟦⟧]")  # what is left of citations and markup
_SINGLE = re.compile(r"(?<!\w)'(?=\S)(.+?)(?<=\S)'(?!\w)")
_COORDINATOR = re.compile(r";|,?\s\b(?:while|whereas|but|and|although|though)\b")
_APPOSITION = re.compile(r"(?<=\w),\s[a-z][^,]*,(?=\s)")  # Gabuev, a director at Carnegie, says
_EDGES = re.compile(r"^(?:\.\.\.|…|\s)+|(?:\.\.\.|…|\s)+$")
_SHAVED = ",.;:"
_CLAIMS_NOTHING = FUNCTION | ATTRIBUTION
_OF_TELLING = frozenset(stems(" ".join(SAYING)))
_OF_SAYING = frozenset(stems(" ".join(SAYING - OPINION)))
_NEVER_FIRST = frozenset({"may", "will", "might"})  # but as names


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

        It is whole sentences of a passage, or it quotes at least three words of one between double marks and
        says nothing around them that is not there as well. Its citations only choose between passages that
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
        fragments = _fragments(grounds, text)
        if not fragments or not any(fragment.is_long for fragment in fragments):
            return None
        segments = _segments(text, fragments)
        if any(_FOREIGN.search(segment) for segment in segments):
            return None
        if not all(
            _stands(grounds, match[1].rstrip(_SHAVED))
            for segment in segments
            for match in _SINGLE.finditer(segment)
        ):
            return None
        candidates = [list(islice(_places(grounds, one.inner), _MOST_PLACES)) for one in fragments]
        for places in islice(product(*candidates), _MOST_TRIED):
            if _near(fragments, places) and self._bears_out(segments, places, after):
                return _stated(text, fragments, places)
        return None

    def _bears_out(self, segments: Sequence[str], places: Sequence[Place], after: Statement | None) -> bool:
        framings = _framings(segments)
        known = re.compile("|".join(map(re.escape, _sayable(places))) or r"(?!)", re.IGNORECASE)
        framings = [known.sub(" , ", framing) for framing in framings]
        if _dangles(framings) and not self._goes_on(places, after):
            return False
        named: list[Word] = []
        for number, (framing, place) in enumerate(zip(framings, places, strict=True)):
            words = words_of(framing)
            names = [word for word in words if _is_name(word, first=number == 0 and word is words[0])]
            # "Hallam says “…” and “…”": both are hers.
            named = names or named
            if not (
                _supports(place, words, names)
                and all(_is_in(word, place) for word in named if word not in names)
                and _is_spoken_so(place, framing, words, names)
                and _keeps_sense(place, words)
                and not _leaves_turned(place, words, names)
            ):
                return False
        return True

    def _goes_on(self, places: Sequence[Place], after: Statement | None) -> bool:
        """Whether "he" is whom the statement before quotes, by name."""
        speakers = {(place.ground.article.id, place.speaker) for place in places}
        if not after or len(speakers) != 1 or not places[0].speaker:
            return False
        said_before = {
            (ground.article.id, told.speaker)
            for ground in self._grounds
            for quote in after.quotes
            if ground.article.id == quote.article_id and (told := ground.telling(quote.place))
        }
        named = {word.text for word in words_of(straightened(after.text))}
        return said_before == speakers and bool(places[0].speaker_words & named)


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


def _framings(segments: Sequence[str]) -> list[str]:
    """What is written of each fragment. What stands between two is of the one before up to a "while" or
    "and"; without one it is of both."""
    framings = [segments[0], *("" for _ in segments[2:])]
    for number, between in enumerate(segments[1:-1]):
        cut = _COORDINATOR.search(between)
        framings[number] += " , " + (between[: cut.start()] if cut else between)
        framings[number + 1] += between[cut.start() :] if cut else between
    framings[-1] += " , " + segments[-1]
    return framings


def _sayable(places: Sequence[Place]) -> Iterator[str]:
    """What may be said of every article: its source, its day, and its author unless somebody else speaks."""
    articles = [place.ground.article for place in places]
    first = articles[0]
    if first.source and all(article.source == first.source for article in articles):
        yield straightened(first.source)
    alone = not any(place.told for place in places)
    if first.author and alone and all(article.author == first.author for article in articles):
        yield straightened(first.author)
    if first.day and all(article.day == first.day for article in articles):
        day = first.day
        for month in (f"{day:%B}", f"{day:%b}.", f"{day:%b}"):
            yield f"{day.day} {month} {day.year}"
            yield f"{month} {day.day}, {day.year}"
            yield f"{month} {day.day}"
            yield f"{day.day} {month}"
            yield f"{month} {day.year}"
        yield day.isoformat()


def _is_name(word: Word, *, first: bool) -> bool:
    if not word.capital or word.number:
        return False
    small = word.lower in _CLAIMS_NOTHING and word.text != word.text.upper()
    return not (first and small and word.lower not in _NEVER_FIRST) or word.text == "I"


def _dangles(framings: Sequence[str]) -> bool:
    """Whether a pronoun means somebody whom the sentence does not name before."""
    words = [word for framing in framings for word in words_of(framing)]
    first = words_of(framings[0])[:1] if framings[0][:1].isalpha() else []
    if first and first[0].lower in POINTING:
        return True
    meant = next((at for at, word in enumerate(words) if word.lower not in _CLAIMS_NOTHING), len(words))
    return any(word.lower in PERSONAL for word in words[:meant])


def _supports(place: Place, words: Sequence[Word], names: Sequence[Word]) -> bool:
    """Whether every word that claims something stands where the fragment does, or introduces who is named."""
    introduced = _introduced(place, names)
    lent = frozenset(word.text for word in words_of(introduced))
    known = place.stems | frozenset(stems(introduced))
    pairs = list(pairwise(word.lower for word in words))
    for number, word in enumerate(words):
        beside = pairs[max(0, number - 1) : number + 1]
        if word.number:
            supported = any(pair in place.number_pairs for pair in beside)
        elif word in names:
            supported = _is_in(word, place) or word.text in lent or _names_as_title(place, words, number)
        else:
            supported = (
                word.lower in _CLAIMS_NOTHING
                or word.lower in PLAIN_NEGATIONS
                or word.lower.endswith("n't")
                or known.issuperset(stems(word.text))
            )
        if not supported:
            return False
    return all(
        place.ground.joins(one, other)
        for one, other in pairwise(words)
        if one in names
        and other in names
        and other.start == one.end + 1
        # "Mayor Hallam" of "Hallam, the mayor"
        and not place.names.intersection({one.lower, other.lower})
    )


def _leaves_turned(place: Place, words: Sequence[Word], names: Sequence[Word]) -> bool:
    """Whether it says plainly what stands there only turned: "and a ban" of "but feared a ban"."""
    turned, much = place.turned(_introduced(place, names)), turning(words)
    title = {word.lower for word in place.ground.title}
    return any(
        turned.get(stem, 0) > much
        for word in words
        if word not in names and word.lower not in _CLAIMS_NOTHING | title
        for stem in stems(word.text)
    )


def _introduced(place: Place, names: Sequence[Word]) -> str:
    """What introduces those who are named."""
    return " ".join(place.ground.introduction(name.text) for name in names if name.text in place.names)


def _is_in(name: Word, place: Place) -> bool:
    """Whether a name stands there as it is written, or as a word: "Mayor Hallam", "Hallam, the mayor"."""
    return any(place.names.issuperset(form.split("-")) for form in (name.text, name.lower)) or (
        name.text in place.names
    )


def _names_as_title(place: Place, words: Sequence[Word], number: int) -> bool:
    """Whether a name is a part of what the title calls so: "the Narrows bridge". Alone it is nobody."""
    title = {(one.text, other.text) for one, other in pairwise(place.ground.title)}
    beside = pairwise(words[max(0, number - 1) : number + 2])
    return any(
        (one.text, other.text) in title
        for one, other in beside
        if not {one.lower, other.lower} & _CLAIMS_NOTHING and one.capital != other.capital
    )


def _is_spoken_so(place: Place, framing: str, words: Sequence[Word], names: Sequence[Word]) -> bool:
    """Whether the words are told by somebody, and by whom the sentence says, where it names somebody."""
    bare = _APPOSITION.sub(lambda aside: " " * len(aside[0]), framing)
    kept = [word for word in words if bare[word.start : word.end] == word.text]
    subjects = list(_subjects(bare, kept, names))
    if subjects and not place.is_told:
        return False
    called = place.speaker_words
    return not called or all(called.intersection({name.text, *name.text.split("-")}) for name in subjects)


def _subjects(framing: str, words: Sequence[Word], names: Sequence[Word]) -> Iterator[Word]:
    """The last word of the name that each verb of saying goes with: the nearest before it, else behind."""
    likely = [
        number
        for number, word in enumerate(words)
        if word in names and _may_speak(framing, words, number, names)
    ]
    for number, word in enumerate(words):
        if word.lower in SAYING:
            before = [at for at in likely if at < number]
            behind = [at for at in likely if at > number]
            if before or behind:
                yield words[before[-1] if before else behind[0]]


def _may_speak(framing: str, words: Sequence[Word], last: int, names: Sequence[Word]) -> bool:
    """Whether the name that ends here may be who speaks, not a place, an addressee or a part of a noun."""
    first = last
    while first and words[first - 1] in names and words[first].start <= words[first - 1].end + len("' "):
        first -= 1
    following = words[last + 1 : last + 2]
    adjacent = bool(following) and framing[words[last].end : following[0].start] == " "
    if adjacent and (following[0] in names or following[0].lower not in _CLAIMS_NOTHING | SAYING):
        return False
    before = [word.lower for word in words[max(0, first - 2) : first]]
    if before[-2:] == ["according", "to"] or before[-1:] == ["by"]:
        return True
    if framing[words[first - 1].end : words[first].start].strip() if first else False:
        return True
    return not PREPOSITIONS.union(TELLS).intersection(before[-1:] if before[-1:] != ["the"] else before)


def _keeps_sense(place: Place, words: Sequence[Word]) -> bool:
    """Whether what turns or weakens the fragment in its source does so here, and nothing else turns it."""
    turned = any(word.negates for word in place.clause)
    if turned and not any(word.negates for word in words):
        return False
    # "Not eleven" may be of any clause of the sentence, "did not say" only of the fragment's own. What the
    # source turns by other words ("doubts") may be told by one "not", but no "did not say" is told of it.
    there = {pair for part in place.own for pair in _turned(words_of(part)) if pair[1] not in _OF_TELLING}
    foreign = set(_turned(words)) - there - set(_turned(place.clause))
    if len(foreign) > turned or any(word in _OF_SAYING for _, word in foreign):
        return False
    if any(word.doubts for word in place.clause) and not any(word.doubts for word in words):
        return False
    modal = any(word.lower in MODAL for word in words_of(straightened(place.quote.text)))
    return not place.is_conditional or modal or any(word.lower in CONDITION for word in words)


def _turned(words: Sequence[Word]) -> Iterator[tuple[str, str]]:
    """Each negation with the stem of the word that it turns."""
    claims = [word for word in words if word.negates or word.lower not in FUNCTION]
    for word, turned in zip_longest(claims, claims[1:]):
        if word.negates:
            kind = "not" if word.lower.endswith("n't") else word.lower
            yield kind, " ".join(stems(turned.text)) if turned else ""
