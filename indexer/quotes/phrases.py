"""Who the words beside a verb name: noun phrases, told without a parser."""

from typing import NamedTuple

from indexer.models import Span
from indexer.quotes.names import untitled
from indexer.quotes.tokens import Token
from indexer.quotes.words import (
    ADVERBS,
    ASKING,
    BE,
    BODIES,
    CUES,
    DAYS,
    DESCRIBES,
    DETERMINERS,
    FUNCTION,
    GOING,
    INSIDE,
    NEVER,
    PARTICLES,
    PREPOSITIONS,
    PRONOUNS,
    TIMES,
    TITLES,
)

LONGEST_PHRASE = 12  # tokens
_INSERTIONS = 5  # between a name and its verb: "X, 45, of Flint, Michigan, said"


class Who(NamedTuple):
    """Somebody who speaks: `name` without titles, None for "he" and for "the ministry"."""

    place: Span
    text: str
    name: str | None
    before: str  # the words before a name, which may tell a man from a woman
    first: int  # its first token
    after: int  # the token after its last

    @property
    def pronoun(self) -> str | None:
        return self.text.lower() if self.name is None and self.text.lower() in PRONOUNS else None


def phrase(text: str, tokens: list[Token], at: int) -> Who | None:
    """Whom the words from a token on name, as far as their phrase goes."""
    if at >= len(tokens) or tokens[at].kind != "word":
        return None
    if tokens[at].lower in PRONOUNS:
        place = Span(tokens[at].start, tokens[at].end)
        return Who(place, text[slice(*place)], None, "", at, at + 1)
    end = _end(tokens, at)
    if end == at or (end == at + 1 and tokens[at].lower in FUNCTION):
        return None
    named = _named(text, tokens, at, end) if tokens[end - 1].capital else None
    return named or _described(text, tokens, at, end)


def subject(text: str, tokens: list[Token], low: int, verb: int) -> Who | None:
    """Who does what the verb at a token says, by the words between the token `low` and it; None where
    nobody does, or did not do it, or it was done to them."""
    end = _without_adverbs(tokens, low, verb)
    if end > low and tokens[end - 1].lower in BE:
        if tokens[verb].lower not in GOING:
            return None
        end -= 1
    if end - 2 > low and tokens[end - 1].lower in TIMES and tokens[end - 2].lower in {"this", "last", "that"}:
        end -= 2
    end = _without_adverbs(tokens, low, end)
    last = tokens[end - 1]
    if end <= low or last.lower in NEVER or last.lower.endswith(("n't", "n’t", "'s", "’s")):
        return None  # "would say", "Pell's alleged debts"
    if last.lower == "who":
        return _before_who(text, tokens, low, end - 1)
    if last.text == ",":
        return _before_insertion(text, tokens, low, end - 1)
    if last.text == ")":
        end = next((at for at in range(end - 1, low, -1) if tokens[at].text == "("), low)
    return _ending(text, tokens, low, end)


def shares_subject(tokens: list[Token], low: int, verb: int) -> bool:
    """Whether a verb goes on with the subject of another: "laughed and said"."""
    verb = _without_adverbs(tokens, low, verb)
    return verb > low and tokens[verb - 1].lower in {"and", "but"}


def is_adverb(token: Token) -> bool:
    return token.kind == "word" and (
        token.lower in ADVERBS or (token.lower.endswith("ly") and not token.capital)
    )


def _without_adverbs(tokens: list[Token], low: int, end: int) -> int:
    while end > low and is_adverb(tokens[end - 1]):
        end -= 1
    return end


def _end(tokens: list[Token], at: int) -> int:
    """Where the phrase that begins at a token ends."""
    end = at
    while end < min(len(tokens), at + LONGEST_PHRASE) and _continues(tokens, at, end):
        end += 1
    while end > at and (tokens[end - 1].lower in DAYS or is_adverb(tokens[end - 1])):
        end -= 1
    return end


def _continues(tokens: list[Token], at: int, end: int) -> bool:
    """Whether a token belongs to the phrase that begins at `at`."""
    token = tokens[end]
    if token.kind != "word" or (token.lower in CUES and not token.capital):
        return False
    if token.lower not in FUNCTION or (end == at and token.lower in DETERMINERS):
        return True
    if token.lower in INSIDE:
        return _joins(tokens, at, end)
    return token.lower in PARTICLES and end > at and tokens[end - 1].capital and _capital(tokens, end + 1)


def _capital(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].capital


def _joins(tokens: list[Token], at: int, word: int) -> bool:
    """Whether a word stands inside a name: the University of Michigan, the Centers for Disease Control and
    Prevention, Secretary of State John Kerry."""
    before = tokens[at:word]
    if not before or not before[-1].capital or not _capital(tokens, word + 1):
        return False
    if tokens[word].lower == "of" and before[-1].lower in TITLES | BODIES:
        return True
    begins, *rest = before
    return (
        begins.lower == "the"
        and bool(rest)
        and rest[0].lower not in TITLES
        and all(token.capital or token.lower in INSIDE for token in rest)
    )


def _named(text: str, tokens: list[Token], at: int, end: int) -> Who | None:
    """The name with which a phrase ends."""
    start = end - 1
    while start > at and (tokens[start - 1].capital or tokens[start - 1].lower in PARTICLES | INSIDE):
        start -= 1
    while not tokens[start].capital:
        start += 1
    run = [token.text for token in tokens[start:end]]
    if tokens[at].lower == "the" and any(word in INSIDE for word in run):
        name = run[start == at :]  # a body's name has no titles in it
    else:
        name = untitled(run)
    if not name or (len(name) == 1 and name[0].endswith("ing")):
        return None
    place = Span(tokens[end - len(name)].start, tokens[end - 1].end)
    if text[place.end - 2 : place.end] in {"'s", "’s"}:
        place = Span(place.start, place.end - 2)
    before = " ".join(token.lower for token in tokens[at : end - len(name)])
    return Who(place, text[slice(*place)], " ".join(name), before, at, end)


def _described(text: str, tokens: list[Token], at: int, end: int) -> Who | None:
    """The description that a phrase is: "a spokesman for the ministry"."""
    first, last = tokens[at], tokens[end - 1]
    if first.lower in PREPOSITIONS | DAYS or last.lower in TIMES or last.lower.endswith("ing"):
        return None
    if last.text.isdigit():
        return None
    while end < len(tokens) - 1 and tokens[end].lower in DESCRIBES and _describes(tokens[end + 1]):
        end += 1
        while end < min(len(tokens), at + LONGEST_PHRASE) and _describes(tokens[end]):
            end += 1
    if first.lower not in DETERMINERS and end < len(tokens) - 1 and tokens[end].lower == "and":
        return phrase(text, tokens, end + 1)  # handler and owner Janice Hayes
    place = Span(first.start, tokens[end - 1].end)
    described = text[slice(*place)]
    if first.lower in DETERMINERS:
        described = described[0].lower() + described[1:]
    return Who(place, described, None, "", at, end)


def _describes(token: Token) -> bool:
    if token.kind != "word" or (token.lower in CUES and not token.capital):
        return False
    return token.lower in DETERMINERS or token.lower not in FUNCTION


def _before_who(text: str, tokens: list[Token], low: int, who: int) -> Who | None:
    """Whom "X, who" speaks of."""
    if who <= low or tokens[who - 1].text != ",":
        return None
    start = next((at + 1 for at in range(who - 2, low - 1, -1) if tokens[at].text == ","), low)
    return _ending(text, tokens, start, who - 1)


def _before_insertion(text: str, tokens: list[Token], low: int, comma: int) -> Who | None:
    """Who a verb after a comma speaks of. A comma never parts subject and verb but to let something in, "X,
    director of Y, said": what stands right before it is left out."""
    commas = [at for at in range(low, comma) if tokens[at].text == ","]
    described: Who | None = None
    for start, end in list(zip([low, *(at + 1 for at in commas)], commas, strict=False))[
        : -_INSERTIONS - 1 : -1
    ]:
        begins = tokens[start]
        if (
            start == end
            or not (begins.capital or begins.lower in DETERMINERS)
            or begins.lower in PREPOSITIONS
        ):
            continue
        who = phrase(text, tokens, start)
        if not (who and who.name and _goes_to(tokens, who.after, end)):
            who = _ending(text, tokens, start, end)
        if who and who.name:
            return who
        if who and who.first == start:  # a name may stand before "the attorney general of Oklahoma"
            described = described or who
        elif described:
            break
    if described and described.after in commas:  # "a spokeswoman, Thirza Lamb, said"
        who = phrase(text, tokens, described.after + 1)
        if who and who.after == comma and len((who.name or "").split()) > 1:
            return who
    return described


def _goes_to(tokens: list[Token], at: int, end: int) -> bool:
    """Whether only "of Flint", "(D-Wis.)" or the like stands between a phrase and a token."""
    return at == end or (at < end and (tokens[at].lower in PREPOSITIONS or tokens[at].text == "("))


def _ending(text: str, tokens: list[Token], low: int, end: int) -> Who | None:
    """Whom the phrase that ends before a token names."""
    if end <= low or tokens[end - 1].kind != "word":
        return None
    start = _start(tokens, low, end)
    if start > low and tokens[start - 1].lower in ASKING:
        return None  # "what he said", "the man who Trump said"
    if start > low + 1 and tokens[start - 1].lower == "and" and tokens[start].capital:
        start = _whole_start(tokens, low, start)
    if start > low + 1 and tokens[start - 1].lower in PREPOSITIONS:
        who = phrase(text, tokens, low)
        if who and who.after == start - 1 and tokens[low].lower not in PREPOSITIONS:
            return who  # Ramona Santana in Higüey
        if tokens[start].lower not in DETERMINERS or tokens[low].lower not in PREPOSITIONS:
            return None
    while start < end - 1 and tokens[start].lower in ADVERBS:
        start += 1
    found = phrase(text, tokens, start)
    return found if found and found.after <= end and _goes_to(tokens, found.after, end) else None


def _start(tokens: list[Token], low: int, end: int) -> int:
    """Where the phrase that ends before a token begins."""
    if tokens[end - 1].lower in PRONOUNS:
        return end - 1
    start = end
    while start > low and end - start < LONGEST_PHRASE and tokens[start - 1].kind == "word":
        word = tokens[start - 1].lower
        if word in DAYS or (word in FUNCTION and word not in DETERMINERS | DESCRIBES | PARTICLES):
            break
        start -= 1
        if word in DETERMINERS and not (start > low and tokens[start - 1].lower in DESCRIBES):
            break
    return start


def _whole_start(tokens: list[Token], low: int, start: int) -> int:
    """Where "the Centers for Disease Control and Prevention" begins, of which the last word was met."""
    whole = start - 1
    while whole > low and (tokens[whole - 1].capital or tokens[whole - 1].lower in INSIDE):
        whole -= 1
    if tokens[whole].lower == "the":
        return whole
    return whole - 1 if whole > low and tokens[whole - 1].lower == "the" else start
