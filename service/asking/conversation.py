"""A follow-up as a question of its own: "and in the Arctic?" after "What does Gabuev expect from …?"."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from indexer.mentions import plain
from service.asking.phrases import (
    ATTRIBUTES,
    AUXILIARY,
    DETERMINERS,
    GENITIVE,
    PREPOSITIONS,
    STOPS,
    Part,
    parts,
)
from service.asking.speakers import Speaker, find_speaker, is_name, is_role

_TURNS = 10  # the last of a conversation; what was said before is no longer meant
_LONGEST = 2000  # characters read of a question or an answer
_MOST = 12  # names and nouns considered of each


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that was asked, the answer it got, and whom that answer quotes."""

    question: str
    answer: str = ""
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A question that stands alone; unless `changed`, the one that was asked."""

    question: str
    changed: bool


def rewrite(question: str, turns: Sequence[Turn]) -> Rewritten:
    """What a follow-up asks, told without the turns before it, the oldest of which comes first.

    Precision first: a question with a subject of its own is left alone, and so is one that the turns do
    not complete. A turn's question may be a follow-up itself.
    """
    talk = _Talk()
    for turn in turns[-_TURNS:]:
        talk.hear(_resolved(turn.question[:_LONGEST], talk), turn)
    rewritten = _resolved(question, talk) if len(question) <= _LONGEST else question
    return Rewritten(rewritten, rewritten != question)


@dataclass(slots=True)
class _Talk:
    """What was spoken of: the last question as it stands alone, who speaks in it, and whom and what it and
    those before it were about, the likeliest first."""

    question: str = ""
    speaker: Speaker | None = None
    people: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    text: str = ""

    def hear(self, question: str, turn: Turn) -> None:
        answer = plain(turn.answer[:_LONGEST])
        self.question = plain(question)
        self.speaker = find_speaker(self.question)
        self.text = f"{self.question}\n{answer}\n{self.text}"[: _TURNS * _LONGEST]
        named = list(islice(parts(self.question), _MOST))
        names = [(name, part) for part in named if is_name(name := GENITIVE.split(part.text)[0])]
        asked = [
            *([self.speaker.name] if self.speaker and self.speaker.name else []),
            *(name for name, _ in names if self.is_person(name)),
            *(part.text for part in named if is_role(part.text)),
        ]
        told = _distinct(match[0] for match in islice(_NAME.finditer(answer), _MOST))
        answered = [turn.speaker or "", *filter(self.is_person, told)]
        # "Who opposed Hallam?" is about whom the answer names.
        sure = [*answered, *asked] if _WHO_DOES.match(self.question) else [*asked, *answered]
        # A name that nothing tells of may be a person's too, where no place would stand.
        likely = [name for name, part in names if not part.placed and not name.startswith("the ")]
        self.people = _distinct([*sure, *likely, *self.people])
        self.topics = _distinct([*sorted(self._topics(named), key=is_name), *self.topics])
        self.places = _distinct([*(match[0] for match in _PLACE.finditer(self.question)), *self.places])

    def _topics(self, named: Sequence[Part]) -> Iterator[str]:
        """What "it" may be after this question: what it asks somebody about, else what it is about."""
        if self.speaker and not self.question[: self.speaker.topic_span.start].endswith(" to "):
            yield _CLAUSE.split(self.speaker.topic)[0].strip(" ,")  # but not "(want to) shut the plant"
        for part in named:
            person = is_role(part.text) or self.is_person(part.text)
            if not person and not (self.speaker and part.start < self.speaker.topic_span.start):
                yield self.question[part.start : part.whole_end]

    def is_person(self, name: str) -> bool:
        """Whether the conversation shows that a name is a person's: who speaks, has a title, is told of."""
        if self.speaker and self.speaker.name and name in self.speaker.name:
            return True
        name = re.escape(name)
        return bool(
            re.search(
                rf"\b{name},? (?:{_SAYS})\b|\b(?:{_SAYS}) (?:{_TITLE} )?{name}\b|\b{_TITLE} {name}\b"
                rf"|\b{name}, (?:who|an?|the \w+ (?:who|of|for))\b|\b[Ww]ho (?:is|was) {name}\b",
                self.text,
            )
        )


_CLAUSE = re.compile(rf",| \b(?:{AUXILIARY}|that|who|which|when|if|because|while|to)\b")
_SAYS = "said|says|told|added|argued|stated|warned|thinks|believes|expects|writes|wrote|announced|replied"
_TITLE = r"(?:Mr|Mrs|Ms|Dr|Sir|President|Mayor|Captain|Minister|Councillor|Judge|Senator|Chancellor)\.?"
_NAME = re.compile(
    r"[A-Z][\w-]+(?: [A-Z][\w-]+)+|(?<=[a-z,] )[A-Z][\w-]+|[A-Z][\w-]+(?= (?:said|says|added)\b)"
)
_PLACE = re.compile(r"\b(?:in|at|near) (?:the (?:[\w-]+ ){0,2}[\w-]+|[A-Z][\w-]+(?: [A-Z][\w-]+)*)")


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in names if name.strip()))[: _TURNS * _MOST]


# The forms of a follow-up.


def _resolved(question: str, talk: _Talk) -> str:
    """The question as it stands alone; itself where it does already or nothing tells."""
    text = plain(question)
    if not talk.question or not text.strip():
        return question
    for form in (_more, _bare, _fragment, _pronouns, _unsaid):
        if (found := form(text, talk)) is not None:
            return found[:1].upper() + found[1:]
    return question


def _more(text: str, talk: _Talk) -> str | None:
    """ "Tell me more": the same question again."""
    return talk.question if _MORE.fullmatch(text) else None


_MORE = re.compile(
    r"""\W*(?:(?:and|please|ok|okay)\W+)*(?:(?:tell|show|give)(?:\ me|\ us)?
    (?:\ some|\ a\ bit|\ a\ little)?\ more(?:\ (?:about|on|of)\ (?:it|that|this))?
    |more|go\ on|what\ else|anything\ else|say\ more|(?:any\ |more\ )details)\W*""",
    re.VERBOSE | re.IGNORECASE,
)


def _bare(text: str, talk: _Talk) -> str | None:
    """ "Why?", "And when was that?": the word for what is asked, put to the last question."""
    match = _BARE.fullmatch(text)
    if match is None or (match["more"] and _SENTENCE.search(match["more"])):
        return None
    word = match["word"].lower()
    asked = talk.question.rstrip(" ?!.")
    if match["more"]:
        return f"{asked}, and {word}{match['more']}?"
    if _YES_OR_NO.match(asked) and _ASKS_HOW.match(word):
        return f"{word} {asked[:1].lower()}{asked[1:]}?"
    if (opening := _ADVERBIAL.match(asked)) is not None and _ASKS_HOW.match(word):
        return f"{word} {asked[opening.end() :]}?"
    return f"{asked}, and {word}?"


_BARE = re.compile(
    r"""\W*(?:(?:and|but|so|ok|okay)\W+)*(?P<word>why\ not|why|since\ when|until\ when|when|where|how\ much
    |how\ many|how\ long|how\ often|how\ come|how|by\ how\ much|by\ how\ many|by\ whom|with\ whom
    |who\ sa(?:id|ys)\ (?:so|that)|whose|who|(?:for|against)\ (?:it|them|that)
    |how\ [a-z]+(?!\ (?:is|was|did|will|has)\b)|which\ one|what\ for
    |(?:under|in|for|at|to|on|from|by)\ (?:which|what)\ [a-z]+)
    (?P<more>\ so\ [a-z]+|(?<=many)\ [a-z]+s|\ (?:in|at|for|on|from|with|by)\ [^?!]{1,40})?
    (?:\ (?:exactly|then|so|(?:is|was|did|will|has)\ (?:that|this|it)(?:\ (?:happen|be|happened))?))?\W*""",
    re.VERBOSE | re.IGNORECASE,
)
_ASKS_HOW = re.compile(r"(?:why|since when|until when|when|where|how|at (?:which|what))\b")
_YES_OR_NO = re.compile(rf"{AUXILIARY} ", re.IGNORECASE)
_ADVERBIAL = re.compile(rf"(?:why|when|where|how)(?: exactly)? (?={AUXILIARY} )", re.IGNORECASE)


def _fragment(text: str, talk: _Talk) -> str | None:
    """ "And in the Arctic?", "What about Ashgrove?": the last question, with this in the place of what is of
    its kind, or behind it."""
    match = _ELLIPSIS.fullmatch(text) or _SHORT.fullmatch(text)
    if match is None:
        return None
    words = match["rest"].strip(" ,")
    if not words or (match.re is _SHORT and words[0].isupper() and not _NAMES_ONE.match(words)):
        return None  # "Election results?" asks by itself
    if words.split()[0].lower() in DETERMINERS | PREPOSITIONS:
        words = words[0].lower() + words[1:]
    if (owner := re.match(r"(?:his|her) (?=\w)", words)) and talk.people:
        words = f"{_genitive(talk.people[0])} {words[owner.end() :]}"
    asked = talk.question.rstrip(" ?!.")
    if _TIME.fullmatch(words):
        return f"{_TIME_WITHIN.sub('', asked, count=1)} {words}?"
    if _SENTENCE.search(words):
        return None
    if (lead := _LED.match(words)) is not None and lead["lead"].lower() in _LEADS:
        return f"{_phrase_exchanged(asked, words, lead['lead'].lower())}?"
    return f"{_part_exchanged(asked, words, talk)}?"


_ELLIPSIS = re.compile(
    r"""\W*(?:(?:and|but|or|so|ok|okay)\W+)*(?:(?:what|how)\ about|and|or|also|but)\W+
    (?P<rest>[^?!\n]{2,80}?)(?:\ (?:then|too|as\ well))?[\s?!.]*""",
    re.VERBOSE | re.IGNORECASE,
)
_SHORT = re.compile(
    r"""\s*(?P<rest>(?:[Ii]n|[Aa]t|[Oo]n|[Ff]or|[Ss]ince|[Bb]efore|[Aa]fter|[Dd]uring|[Uu]nder|[Nn]ear|[Tt]he)
    \ [^?!\n,;:]{1,40}|[A-Z][^?!\n,;:]{1,40})\s*\?\s*""",
    re.VERBOSE,
)
_SENTENCE = re.compile(
    rf"""\b(?:{AUXILIARY}|what|who|whom|whose|why|how|which|when|where|tell|show|he|she|they|him|her|his
    |their|them|it|its|this|that|said|says|you|we)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_MONTH_OR_DAY = (
    "(?:january|february|march|april|may|june|july|august|september|october|november|december"
    "|(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_TIMES = (
    r"(?:(?:in|on|since|before|after|until|during|over|from) )?(?:the )?"
    rf"(?:(?:last|this|next|past) (?:(?:\w+ )?(?:days?|weeks?|months?|years?|weekend|spring|summer|autumn"
    rf"|winter)|{_MONTH_OR_DAY})|yesterday|today|tomorrow|now|(?:\d{{1,2}} )?{_MONTH_OR_DAY}(?: \d{{4}})?"
    r"|[12]\d{3})"
)
_TIME = re.compile(_TIMES, re.IGNORECASE)
_TIME_WITHIN = re.compile(rf",? {_TIMES}(?=[ ,]|$)", re.IGNORECASE)
_NAMES_ONE = re.compile(r"(?:The|In|At|On|For|Since|Before|After|During|Under|Near) |(?:[A-Z][\w.-]* ?)+$")
_LED = re.compile(r"(?P<lead>according to|\w+) ", re.IGNORECASE)
_LEADS = PREPOSITIONS | {"according to"}
_ALIKE = ({"in", "at", "near"}, {"about", "on", "of"}, {"during", "after", "before"})


def _phrase_exchanged(asked: str, words: str, lead: str) -> str:
    """The question with its last phrase of such a preposition exchanged, else with this one behind it."""
    leads = next((alike for alike in _ALIKE if lead in alike), {lead})
    for match in reversed(
        list(re.finditer(rf" (?:{'|'.join(sorted(leads))})(?: {_NO_STOP}[\w'.-]+)+", asked))
    ):
        if match[0].rsplit(maxsplit=1)[-1][:1].isupper() == words.rsplit(maxsplit=1)[-1][:1].isupper():
            return f"{asked[: match.start()]} {words}{asked[match.end() :]}"
    return f"{asked} {words}"


_NO_STOP = rf"(?!(?:{'|'.join(sorted(STOPS | {'last', 'yesterday'}))})\b)"


def _part_exchanged(asked: str, words: str, talk: _Talk) -> str:
    """The question put to somebody else, or asked about something else."""
    speaker = talk.speaker
    known = re.search(rf"\b{re.escape(words)}\b", talk.text)
    person = talk.is_person(words) or is_role(words) or (is_name(words) and not known)
    if speaker and speaker.name and (person or (_PLURAL.match(words) and _PLURAL.match(speaker.name))):
        start, end = speaker.span
        return f"{asked[:start]}{words}{asked[end:]}"
    if speaker and speaker.topic and speaker.topic_span.start > speaker.span.end:
        start, end = speaker.topic_span
        return f"{asked[:start]}{words}{asked[end:]}"
    named = list(parts(asked))
    alike = [part for part in named if is_name(part.text) == is_name(words)]
    alike = alike or (named if words.split(maxsplit=1)[0].lower() in DETERMINERS else [])
    if not alike:
        return f"{asked}, and what about {words}"
    part = alike[-1]
    for outer in alike[:-1]:
        if outer.whole_end == part.end and outer.text.rsplit(maxsplit=1)[-1].lower() not in ATTRIBUTES:
            part = outer
    end = part.whole_end if part.text.rsplit(maxsplit=1)[-1].lower() not in ATTRIBUTES else part.end
    return f"{asked[: part.start]}{words}{asked[end:]}"


def _pronouns(text: str, talk: _Talk) -> str | None:
    """ "What did he say of it?": names for the words that stand for them."""
    found: list[str] = []
    kinds: set[str] = set()
    named: set[str] = set()
    people = (name for name in talk.people if not _is_group(name))
    done = 0
    for match in _PRONOUN.finditer(text):
        kind = match.lastgroup or ""
        if kind in kinds or _has_own(text, match, kind, talk):
            continue
        meant = next(people, None) if kind in {"he", "she"} else _thing(kind, talk)
        if meant is None or meant in named or (kind == "it" and _EXPLETIVE.match(text, match.end())):
            continue
        kinds.add(kind)
        named.add(meant)
        found += [text[done : match.start()], _genitive(meant) if _possessive(text, match) else meant]
        done = match.end()
    if not found:
        return None
    return _with_topic("".join([*found, text[done:]]), talk)


_PRONOUN = re.compile(
    r"""\b(?:(?P<he>he|him|his)|(?P<she>she|her)|(?P<they>they|them|their)|(?P<it>its?)
    |(?P<there>(?<!is\ )(?<!are\ )(?<!was\ )(?<!were\ )(?<!be\ )there(?!\ (?:is|are|was|were|will)\b|'))
    |(?P<that>(?:that|this)(?=\W*$)
        |(?:(?<=\bdoes\ )|(?<=\bdid\ )|(?<=\bwill\ ))(?:that|this)(?=\ \w+\W*$)))\b(?!-)""",
    re.VERBOSE | re.IGNORECASE,
)
_NOUN = re.compile(rf" (?!(?:{'|'.join(sorted(STOPS))})\b)\w")
_EXPLETIVE = re.compile(
    r" (?:takes?|c[oa]me about|turn(?:ed)? out|true|possible|likely|legal|illegal|necessary|rain\w*|snow\w*"
    r"|matters?|clear|known|important|about time)\b"
)
_BOUNDARY = re.compile(
    r".*\b(?:and|that|when|if|because|while|after|before|since|who|which|but)\b|.*,", re.DOTALL
)
_SUBJECT_FOLLOWS = re.compile(
    rf"(?:\b(?:{AUXILIARY}|and|that|when|if|because|why|how|what|while|who)|,) $", re.IGNORECASE
)
_WHO_DOES = re.compile(rf"\W*(?:and |but )?who (?!{AUXILIARY}\b)", re.IGNORECASE)
_GROUP = re.compile(
    "(?:union|company|council|government|county|board|committee|club|ministry|party|police|court|bank|agency)"
)


def _genitive(name: str) -> str:
    return f"{name}'" if name.endswith("s") else f"{name}'s"


def _possessive(text: str, pronoun: re.Match[str]) -> bool:
    word = pronoun[0].lower()
    return word in {"his", "its", "their"} or (word == "her" and _NOUN.match(text, pronoun.end()) is not None)


def _has_own(text: str, pronoun: re.Match[str], kind: str, talk: _Talk) -> bool:
    """Whether a pronoun stands for something in its own question. An object is never its clause's subject."""
    before = text[: pronoun.start()]
    if _possessive(text, pronoun) and (_WHO_DOES.match(before) or text.startswith(" own ", pronoun.end())):
        return True
    subject = (
        pronoun[0].lower() in {"he", "she", "they"}
        or _possessive(text, pronoun)
        or _SUBJECT_FOLLOWS.search(before)
    )
    if not subject:
        boundary = _BOUNDARY.match(before)
        before = boundary[0] if boundary else ""
    named = list(parts(before))
    if kind in {"he", "she"}:
        return any((is_name(part.text) and not part.placed) or is_role(part.text) for part in named)
    if kind == "there":
        return bool(_PLACE.search(before))
    return any(
        _is_group(part.text) or not (is_role(part.text) or talk.is_person(part.text)) for part in named
    )


def _is_group(name: str) -> bool:
    return _GROUP.fullmatch(name.rsplit(maxsplit=1)[-1].lower()) is not None


def _thing(kind: str, talk: _Talk) -> str | None:
    if kind == "there":
        return next(iter(talk.places), None)
    group = next((one for one in talk.people[:1] if _is_group(one)), None)
    if kind == "they":
        several = (one for one in [*talk.people[:1], *talk.topics] if _PLURAL.match(one) and not is_name(one))
        if both := _BOTH.search(talk.question):
            return both[0]
        body = next((one for one in talk.people[:1] if one.lower().startswith("the ")), None)
        return group or next(several, body)
    return next(iter(talk.topics), group)


_BOTH = re.compile(
    r"(?<!between )(?<!in )(?<!of )(?<!for )(?<!from )"
    r"\b[A-Z][\w-]+(?: [A-Z][\w-]+)* and [A-Z][\w-]+(?: [A-Z][\w-]+)*"
)
_PLURAL = re.compile(r"(?:[\w'-]+ )*?[\w'-]+[^s'\W]s(?= of |$)")


def _with_topic(question: str, talk: _Talk) -> str:
    """ "What did Sole say next?" goes on about what was spoken of."""
    speaker = find_speaker(question)
    if (
        speaker is None
        or not talk.topics
        or talk.topics[0] in question
        or not _NOTHING_SAID.fullmatch(speaker.topic)
    ):
        return question
    return f"{question.rstrip(' ?!.')} about {talk.topics[0]}?"


_ADVERBS = "next|then|else|later|afterwards|now|again|today|exactly|instead|first|too|still|in the end"
_NOTHING_SAID = re.compile(rf"(?:\s|{_ADVERBS})*", re.IGNORECASE)


def _unsaid(text: str, talk: _Talk) -> str | None:
    """ "How many died?": what it is about was said before."""
    if not _UNSAID.fullmatch(text) or not talk.topics:
        return None
    return f"{text.rstrip(' ?!.')}, regarding {talk.topics[0]}?"


_UNSAID = re.compile(
    rf"""\W*(?:(?:and|but|so)\W+)*(?:who|what|why|when|where|how(?:\ much|\ many(?:\ people)?)?)(?:\ else)?
    (?:\ {AUXILIARY})?(?:\ not)?(?:\ [a-z]+)(?:\ against|\ in\ favour)?(?:\ (?:{_ADVERBS}))?\W*
    |\W*(?:(?:and|but|so)\W+)*how\ (?:many|much)\ [a-z]+\ (?:is|are|was|were)\ there\W*""",
    re.VERBOSE | re.IGNORECASE,
)
