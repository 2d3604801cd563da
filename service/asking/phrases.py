"""What a question names: its names, and its nouns with their articles, without a tagger."""

import re
from collections.abc import Iterator
from typing import NamedTuple

AUXILIARY = r"(?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|should|may|might|must)"
PREPOSITIONS = set(
    """in at on for about of from to with by during under near against after before since between over into
    through without until as than instead regarding towards behind according""".split()
)
STOPS = PREPOSITIONS | set(
    f"""{AUXILIARY[3:-1].replace("|", " ")} been be and or but that which who whom whose what when where why
    how if because while not he she they it him them there this these those now next then today so far
    still also just already finally exactly later earlier again soon most much many ever become became get
    go come""".split()
)
DETERMINERS = set("the a an his her its their our".split())
_QUANTIFIERS = {"more", "several", "some", "any"}
_WORD = re.compile(r"[\w&](?:[\w.&'-]*\w)?(?:'(?= ))?")
GENITIVE = re.compile(r"'s?(?: |$)")
_PARTICIPLE = re.compile(r"\w+(?:ed|en|own|uilt|old|ought|aid|eld)")
# Of these a question asks what they belong to: the price of the bridge is the bridge's.
ATTRIBUTES = set(
    "price cost costs number name size height length date age result results future state rest end".split()
)


class Part(NamedTuple):
    """A name or a noun with its article in a question; `whole_end` takes an "of …" behind it along, and
    `placed` tells that it stands where a place would."""

    start: int
    text: str
    whole_end: int
    placed: bool

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def parts(question: str) -> Iterator[Part]:
    """What a question names, in order. Without a grammar: a verb is known by its place behind a subject."""
    chunks = list(_chunks(question))
    for at, (start, end, before) in enumerate(chunks):
        whole_end = end
        for next_start, next_end, next_before in chunks[at + 1 : at + 2]:
            if next_before in {"of", "at", "for", "into"} and question[end:next_start].split() == [
                next_before
            ]:
                whole_end = next_end
        yield Part(start, question[start:end], whole_end, before in {"in", "at", "from", "near", "of", "to"})


def _chunks(question: str) -> Iterator[tuple[int, int, str]]:
    """Start and end of each, and the word before it, small."""
    words = list(_WORD.finditer(question))
    at = 0
    before = ""
    while at < len(words):
        first = words[at]
        several = first[0].lower() in _QUANTIFIERS
        determined = several or first[0].lower() in DETERMINERS
        if first[0].lower() in STOPS or not (determined or (first[0][:1].isupper() and at > 0)):
            before = first[0].lower()
            at += 1
            continue
        until = at + 1
        while until < len(words) and _goes_on(
            question, words[until - 1], words[until], determined=determined
        ):
            until += 1
        nouns = until - at - determined
        if determined and nouns > 1 and _is_verb(question, words[until - 1 : until + 1], before):
            until -= 1
        named = until - at > determined and (not several or words[until - 1][0].endswith("s"))
        if named and not _DATE_WORD.fullmatch(first[0]):
            yield first.start(), words[until - 1].end(), before
        before = words[until - 1][0].lower()
        at = until


_DATE_WORD = re.compile(
    "January|February|March|April|May|June|July|August|September|October|November|December"
    "|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
)
_ENDING = set("begin end start open close cost work happen fail".split())
_CAPITAL_NEXT = re.compile(r" [A-Z]")


def _is_verb(question: str, last: list[re.Match[str]], auxiliary: str) -> bool:
    """Whether the last word behind a noun is what the noun does, by what stands before and behind them."""
    word, rest = last[0][0], question[last[0].end() :]
    if rest.startswith(" ") and last[-1][0].lower() in DETERMINERS | _QUANTIFIERS:
        return True  # "the fish plant accept the closure"
    if word in _ENDING and not rest.strip(" ?!."):
        return True  # "(does) the inquiry into the flood begin?"
    if not re.fullmatch(AUXILIARY, auxiliary):
        return False
    if auxiliary in {"is", "are", "was", "were", "has", "have", "had"}:
        return _PARTICIPLE.fullmatch(word) is not None
    if rest.startswith(" of "):
        return word in {"think", "make", "speak", "approve", "hear"}
    return not _VERB_COMES.match(rest)


# "not", or a place with a small word behind it: "at Tanyard Lane cost".
_VERB_COMES = re.compile(
    r" (?:not|also|still|ever|finally|already|just|now|actually|become|get|go|come)\b"
    r"|(?: (?:in|at|near|from) (?:the )?(?:[A-Z][\w-]*[ ?])+)(?:[a-z]+)\b(?<! in)(?<! on)(?<! at)"
)


def _goes_on(question: str, last: re.Match[str], word: re.Match[str], *, determined: bool) -> bool:
    lower = word[0].lower()
    if lower == "and" and determined and last[0][:1].isupper():
        return _CAPITAL_NEXT.match(question, word.end()) is not None  # "the Belt and Road initiative"
    if question[last.end() : word.start()] != " " or lower in STOPS | DETERMINERS | _QUANTIFIERS:
        return False
    if lower == "last" and last[0].lower() not in DETERMINERS:
        return False  # "last year"
    return determined or word[0][:1].isupper() or word[0] == "&" or bool(GENITIVE.search(last[0]))
