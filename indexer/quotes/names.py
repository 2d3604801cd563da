"""What people and bodies are called: in a text, and by who asks for them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from indexer.quotes.tokens import tokenized
from indexer.quotes.words import (
    BODIES,
    DAYS,
    DETERMINERS,
    FUNCTION,
    GIVEN,
    GIVEN_OR_MR,
    HONORIFICS,
    INSIDE,
    MEN,
    NO_NAMES,
    PARTICLES,
    PREPOSITIONS,
    SUFFIXES,
    TITLES,
    TITLES_HE,
    TITLES_SHE,
    WOMEN,
)


class Called(NamedTuple):
    """A speaker as speakers are compared: folded words (no case, no accents, no titles), and what they are
    called alone: the surname of a name, all of a description."""

    words: tuple[str, ...]
    alone: str

    def fits(self, other: "Called") -> bool:
        """Whether the other may be called so: these words are among its own, in their order."""
        rest = iter(other.words)
        return self.alone == other.alone and all(word in rest for word in self.words)


def called(speaker: str) -> Called:
    """How a speaker of a `Quotation` is known."""
    return asked_for(speaker)[-1 if is_description(speaker) else 0]


def is_description(speaker: str) -> bool:
    """Whether a speaker of a `Quotation` is somebody described ("the mayor"): a name has no small letters at
    the beginning of its words."""
    return any(word[:1].islower() and word not in PARTICLES | INSIDE for word in speaker.split())


def asked_for(name: str) -> list[Called]:
    """Whom one may mean who asks for "Gabuev", "mr gabuev's" or "the ministry": a name, a description."""
    written = [re.sub("['’]s?$", "", word) for word in name.split()]
    bare = untitled(written) or written
    words = tuple(filter(None, map(folded, bare)))
    whole = tuple(filter(None, map(folded, written)))
    whole = whole[1:] if len(whole) > 1 and whole[0] in DETERMINERS else whole
    description = Called(whole, " ".join(whole))
    # "A spokesman for Hallam" is not Hallam.
    told_apart = any(word.lower() in PREPOSITIONS for word in written[: len(written) - len(bare)])
    return [description] if told_apart or not words else [Called(words, _last(words)), description]


def is_body(name: str) -> bool:
    """Whether a name is that of a body: all its words are one name, and none is a surname."""
    words = name.split()
    return bool(words) and words[-1].lower() in BODIES


def folded(word: str) -> str:
    """A word of a name as names are compared: no case, no accents, no marks."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


_OFTENER = 2  # times, for a surname to mean one of two people
_RUN = re.compile(
    r"[^\W\d_a-z][\w'’.-]*"
    r"(?:[ \xa0](?:(?:de|la|von|van|der|den|bin|al|el|del)[ \xa0]){0,3}[^\W\d_a-z][\w'’.-]*){1,5}"
)


def untitled(words: list[str]) -> list[str]:
    """The name in a run of capitalised words: what follows its last title; of a body all of it."""
    while words and (words[-1].lower() in DAYS or words[-1].lower() in FUNCTION):
        words = words[:-1]
    if words and words[-1].lower() in BODIES:
        return words[1:] if words[0].lower() in FUNCTION else words
    # King and Dean are titles and surnames.
    surname = len(words) > 1 and words[0].lower() in GIVEN_OR_MR
    for at in range(len(words) - 1 - surname, -1, -1):
        if words[at].lower() in NO_NAMES or words[at].lower().removesuffix("s") in TITLES:
            return words[at + 1 :]
    return words


def _last(words: Sequence[str]) -> str:
    """What somebody is called by alone: the last word of a name that is no "Jr."."""
    kept = [word for word in words if word.lower() not in SUFFIXES] or list(words)
    return kept[-1].lower()


class Names:
    """The names of two words and more in a text."""

    def __init__(self, text: str) -> None:
        counts: Counter[tuple[str, ...]] = Counter()
        self._titled: set[str] = set()
        for match in _RUN.finditer(text):
            run: list[str] = []
            for token in tokenized(text, match.start(), match.end()):
                if token.kind == "word":
                    run.append(re.sub("['’]s?$", "", token.text))
                if token.kind != "word" or token.text.endswith(("'s", "’s")):
                    self._count(run, counts)
                    run = []
            self._count(run, counts)
        # By what somebody is called alone, the names of each who may be meant, with their numbers.
        self._people: dict[str, dict[str, Counter[str]]] = {}
        for words, count in counts.items():
            if not words[1:]:
                continue
            # "Republican Donald Trump" is "Donald Trump", where that stands too.
            shorter = [words[at:] for at in range(1, len(words) - 1) if words[at:] in counts]
            name = shorter[-1] if shorter else words
            people = self._people.setdefault(_last(name), {})
            people.setdefault(one_person(name), Counter())[" ".join(name)] += count
        self._known: dict[str, str] = {}

    def _count(self, run: list[str], counts: Counter[tuple[str, ...]]) -> None:
        name = tuple(untitled(run))
        counts[name] += 1
        if name and len(name) < len(run) and run[-len(name) - 1].lower() in HONORIFICS:
            self._titled.add(name[-1])

    def person(self, name: str, *, speaks: bool) -> bool:
        """Whether a name is surely somebody's: by a given name or a title; who speaks needs two words."""
        words = name.split()
        if not words or any(word.lower() in BODIES for word in words) or name.isupper() or "/" in name:
            return False
        known = words[0].lower() in GIVEN or words[-1] in self._titled
        return known or (speaks and len(words) > 1)

    def full(self, name: str) -> str:
        """The fullest form of a name; as it is where it may be that of several people."""
        if name not in self._known:
            self._known[name] = self._fullest(name)
        return self._known[name]

    def _fullest(self, name: str) -> str:
        words = name.split()
        people = self._people.get(_last(words), {})
        if words[1:]:
            return max([*people.get(one_person(words), Counter()), name], key=len)
        ranked: list[Counter[str]] = sorted(people.values(), key=lambda forms: -forms.total())
        if not ranked or (ranked[1:] and ranked[0].total() < _OFTENER * ranked[1].total()):
            return name
        return max(ranked[0], key=len)


def one_person(words: Sequence[str]) -> str:
    """What the forms of one person's name share, beside the last: Donald J. Trump is no Donald Trump Jr."""
    return " ".join([words[0], *(word for word in words if word.lower() in SUFFIXES)])


def gender(name: str, before: str) -> str | None:
    words = set(before.split())
    first = name.split(maxsplit=1)[0].lower()
    if words & TITLES_HE or first in MEN:
        return "he"
    if words & TITLES_SHE or first in WOMEN:
        return "she"
    return None
