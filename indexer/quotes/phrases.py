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
    """Who the words from a token on name, as far as their phrase goes."""
    if at >= len(tokens) or tokens[at].kind != "word":
        return None
    first = tokens[at]
    if first.lower in PRONOUNS:
        return Who(Span(first.start, first.end), first.text, None, "", at, at + 1)
    end = at
    while end < min(len(tokens), at + LONGEST_PHRASE) and tokens[end].kind == "word":
        word = tokens[end].lower
        if word in INSIDE and _joins(tokens, at, end):
            end += 1
            continue
        if word in CUES and not tokens[end].capital:
            break
        if (
            word in FUNCTION
            and not (end == at and word in DETERMINERS)
            and not (
                word in PARTICLES
                and 0 < end < len(tokens) - 1
                and tokens[end + 1].capital
                and tokens[end - 1].capital
            )
        ):
            break
        end += 1
    while end > at and (tokens[end - 1].lower in DAYS or is_adverb(tokens[end - 1])):
        end -= 1
    words = tokens[at:end]
    if not words or (len(words) == 1 and first.lower in FUNCTION):
        return None
    if words[-1].capital:
        start = len(words) - 1
        while start and (
            words[start - 1].capital
            or words[start - 1].lower in PARTICLES
            or words[start - 1].lower in INSIDE
        ):
            start -= 1
        while start < len(words) and not words[start].capital:
            start += 1
        run = [word.text for word in words[start:]]
        joined = first.lower == "the" and any(word in INSIDE for word in run)
        name = run[1:] if joined and words[start] is first else run if joined else untitled(run)
        if len(name) == 1 and (name[0].endswith("ing") or name[0].isdigit()):
            return None
        if name:
            named = words[-len(name) :]
            place = Span(named[0].start, named[-1].end)
            place = Span(
                place.start, place.end - 2 if text[place.end - 2 : place.end] in {"'s", "’s"} else place.end
            )
            before = " ".join(word.lower for word in words[: len(words) - len(name)])
            return Who(place, text[place.start : place.end], " ".join(name), before, at, end)
    if first.lower in PREPOSITIONS | DAYS or words[-1].lower in TIMES or words[-1].lower.endswith("ing"):
        return None
    while (
        end < len(tokens) - 1
        and end - at < LONGEST_PHRASE
        and tokens[end].lower in DESCRIBES
        and tokens[end + 1].kind == "word"
        and (tokens[end + 1].lower in DETERMINERS or tokens[end + 1].lower not in FUNCTION)
    ):
        end += 1
        while (
            end < len(tokens)
            and end - at < LONGEST_PHRASE
            and tokens[end].kind == "word"
            and (tokens[end].lower not in FUNCTION or tokens[end].lower in DETERMINERS)
            and (tokens[end].capital or tokens[end].lower not in CUES)
        ):
            end += 1
    if first.lower not in DETERMINERS and end < len(tokens) - 1 and tokens[end].lower == "and":
        return phrase(text, tokens, end + 1)  # handler and owner Janice Hayes
    place = Span(first.start, tokens[end - 1].end)
    described = text[place.start : place.end]
    if first.lower in DETERMINERS:
        described = described[0].lower() + described[1:]
    return Who(place, described, None, "", at, end)


def is_adverb(token: Token) -> bool:
    return token.kind == "word" and (
        token.lower in ADVERBS or (token.lower.endswith("ly") and not token.capital)
    )


def _joins(tokens: list[Token], at: int, of: int) -> bool:
    """Whether a word stands inside a name: the University of Michigan, the Centers for Disease Control and
    Prevention, Secretary of State John Kerry."""
    before = tokens[at:of]
    if not before or of + 1 >= len(tokens) or not (before[-1].capital and tokens[of + 1].capital):
        return False
    if tokens[of].lower == "of" and before[-1].lower in TITLES | BODIES:
        return True
    return (
        before[0].lower == "the"
        and len(before) > 1
        and before[1].lower not in TITLES
        and all(token.capital or token.lower in INSIDE for token in before[1:])
    )


def subject(text: str, tokens: list[Token], low: int, verb: int) -> Who | None:
    """Who does what the verb at a token says, by the words between the token `low` and it."""
    end = verb
    while end > low and is_adverb(tokens[end - 1]):
        end -= 1
    if end > low and tokens[end - 1].lower in BE:
        if tokens[verb].lower not in GOING:
            return None
        end -= 1
    if end - low > 2 and tokens[end - 1].lower in TIMES and tokens[end - 2].lower in {"this", "last", "that"}:
        end -= 2
    while end > low and tokens[end - 1].lower in ADVERBS:
        end -= 1
    if end <= low or tokens[end - 1].lower in NEVER or tokens[end - 1].text.lower().endswith(("n't", "n’t")):
        return None
    if tokens[end - 1].kind == "quote":
        return None
    last = tokens[end - 1]
    if last.lower == "who" or last.text == ",":
        return _before_comma(text, tokens, low, end - 1)
    if last.text == ")":
        while end > low and tokens[end - 1].text != "(":
            end -= 1
        end -= 1
        return _ending(text, tokens, low, end) if end > low else None
    return _ending(text, tokens, low, end)


def shares_subject(tokens: list[Token], low: int, verb: int) -> bool:
    """Whether a verb goes on with the subject of another: "laughed and said"."""
    while verb > low and is_adverb(tokens[verb - 1]):
        verb -= 1
    return verb > low and tokens[verb - 1].lower in {"and", "but"}


def _before_comma(text: str, tokens: list[Token], low: int, comma: int) -> Who | None:
    """Who a verb after a comma speaks of: a comma never parts subject and verb but to let something in,
    "X, director of Y, said". So what stands right before it is left out."""
    bounds = [at for at in range(low, comma + 1) if tokens[at].text == ","]
    if tokens[comma].lower == "who":
        if comma > low and tokens[comma - 1].text == ",":
            return _ending(text, tokens, max([low, *(at + 1 for at in bounds if at < comma - 1)]), comma - 1)
        return None
    starts = [low, *(at + 1 for at in bounds[:-1])]
    described = None
    for start, end in list(zip(starts, bounds, strict=True))[-2::-1][:5]:
        if start >= end or tokens[start].kind == "quote":
            continue
        if not tokens[start].capital and tokens[start].lower not in DETERMINERS:
            continue
        if tokens[start].lower in PREPOSITIONS:
            continue
        who = phrase(text, tokens, start)
        if who and who.name and _goes_to(tokens, who.after, end):
            return who
        who = _ending(text, tokens, start, end)
        if who and who.name:
            return who
        if (
            who and who.first == start
        ):  # "Scott Pruitt, the attorney general of Oklahoma, …": the name before it
            described = described or who
        elif described:
            break
    return described


def _goes_to(tokens: list[Token], at: int, end: int) -> bool:
    """Whether only "of Flint", "(D-Wis.)" or the like stands between a phrase and a token."""
    return at == end or (at < end and (tokens[at].lower in PREPOSITIONS or tokens[at].text == "("))


def _ending(text: str, tokens: list[Token], low: int, end: int) -> Who | None:
    """Who the phrase that ends before a token names."""
    if end <= low or tokens[end - 1].kind != "word":
        return None
    if tokens[end - 1].lower in PRONOUNS - {"who"}:
        asked = end - 1 > low and tokens[end - 2].lower in ASKING
        return None if asked else phrase(text, tokens, end - 1)
    start = end
    while start > low and end - start < LONGEST_PHRASE and tokens[start - 1].kind == "word":
        word = tokens[start - 1].lower
        if word in DAYS:
            break
        if word in DETERMINERS:
            start -= 1
            if start > low and tokens[start - 1].lower in DESCRIBES:
                continue
            break
        if word in FUNCTION and word not in DESCRIBES and word not in PARTICLES:
            break
        start -= 1
    if start > low and tokens[start - 1].lower in ASKING:
        return None
    if (
        start > low + 1
        and tokens[start - 1].lower == "and"
        and tokens[start].capital
        and tokens[start - 2].capital
    ):
        whole = start - 1
        while whole > low and (tokens[whole - 1].capital or tokens[whole - 1].lower in INSIDE):
            whole -= 1
        if (whole < start - 1 and tokens[whole].lower == "the") or (
            whole > low and tokens[whole - 1].lower == "the"
        ):
            start = whole if tokens[whole].lower == "the" else whole - 1
    if start > low + 1 and tokens[start - 1].lower in PREPOSITIONS:  # Ramona Santana in Higüey
        who = phrase(text, tokens, low)
        if who and who.after == start - 1 and tokens[low].lower not in PREPOSITIONS:
            return who
        if tokens[start].lower not in DETERMINERS or tokens[low].lower not in PREPOSITIONS:
            return None
    while start < end and tokens[start].lower in ADVERBS:
        start += 1
    who = phrase(text, tokens, start) if start < end else None
    if who is None or who.after > end or not _goes_to(tokens, who.after, end):
        return None
    return who
