"""Whose words a question asks for: "What does Gabuev expect …?", "in the captain's view", "Who said …?"."""

import re
from dataclasses import dataclass
from itertools import chain

from indexer.mentions import plain
from indexer.models import Span


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who is to speak, and of what.

    `name` is as the question has it, the article of a role left in ("the mayor"), at `span`; None where
    the question asks who it was, and `span` then holds "Who said". `named` tells a proper name from a
    role. `topic` is the rest of the question without its frame, at `topic_span`; "" where nothing is left.
    """

    span: Span
    name: str | None
    named: bool
    topic: str
    topic_span: Span


def find_speaker(question: str) -> Speaker | None:
    """The first speaker a question asks for; None where it asks for facts, whoever states them.

    A pronoun is nobody yet: conversation knows whom it means.
    """
    text = plain(question)
    if match := _WHO_SAID.search(text):
        return _speaker(text, match.span(), (match.end(), len(text)), known=False)
    for match in _FRAME.finditer(text):
        group = "name" if match["name"] else "owner"
        if _speaks(match[group]) and (
            group == "owner" or is_name(match[group]) or is_role(match[group]) or " " not in match[group]
        ):
            # The frame stands before what is asked or behind it.
            before = text[: match.start()].rstrip(" ,")
            rest = (0, len(before)) if before else (match.end(), len(text))
            return _speaker(text, match.span(group), rest)
    for match in chain(_ASKED.finditer(text), _VIEW.finditer(text), _BY.finditer(text)):
        if _speaks(match["name"]):
            return _speaker(text, match.span("name"), (match.end(), len(text)))
    return None


def is_name(words: str) -> bool:
    """Whether words are a proper name, titles and particles among them ("Captain Corwin Stebbe")."""
    found = re.sub(r"^[Tt]he ", "", words).split()
    return bool(found) and all(
        word[:1].isupper() or word[:1].isdigit() or word in _PARTICLES for word in found
    )


def is_role(words: str) -> bool:
    """Whether words call somebody by what he is or stands for: "the mayor", "the union"."""
    head = re.split(r" (?:of|at|for|in|from) ", words, maxsplit=1)[0].lower().split()
    return bool(head) and bool(_ROLE.fullmatch(head[-1])) and not is_name(words)


def _speaks(name: str) -> bool:
    words = re.split(r" (?:of|by|from|on|for|in|at|published|printed|written) ", name.lower(), maxsplit=1)[0]
    head = words.split()
    return bool(head) and not (
        head[-1] in _NOBODY | {"the", "a", "an"}
        or (len(head) > _LONGEST_BARE and not _DETERMINED.match(name) and not is_name(name))
        or head[-1] in _THINGS
        or head[0] in _NOBODY
        or re.search(rf"\b{_AUXILIARY}\b", name)
    )


_LONGEST_BARE = 3  # words of a name in small letters, or of a role in the plural
_DETERMINED = re.compile(r"(?:the|a|an|some|many|his|her|its|their|our) |[A-Z]")


def _speaker(text: str, name: tuple[int, int], rest: tuple[int, int], *, known: bool = True) -> Speaker:
    start, end = rest
    lead = _BEFORE_TOPIC.match(text, start, end)
    start = lead.end() if lead else start
    end = start + len(text[start:end].rstrip(" ?!.,;:\t\n"))
    words = text[slice(*name)]
    return Speaker(
        span=Span(*name),
        name=words if known else None,
        named=known and is_name(words),
        topic=text[start:end],
        topic_span=Span(start, end),
    )


_AUXILIARY = r"(?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|should)"
# Base forms; "says", "said" and "was criticised" are made of them below.
_SAY = """
    accuse acknowledge admit advise advocate announce anticipate argue ask assess assume back believe
    blame call claim comment complain concede conclude confirm consider criticise criticize declare defend
    demand deny describe disagree dismiss dispute doubt emphasise emphasize estimate expect explain favour
    favor fear feel forecast foresee guess hope imagine insist judge justify mention object oppose point
    praise predict prefer promise propose rate react recommend regard regret reject reply report request
    respond say see speak state stress suggest support suspect tell think underline urge value view vow
    want warn welcome wish wonder
""".split()
_PAST = "said thought felt foresaw denied replied justified denies replies justifies".split()
_SAYING = "|".join(_SAY)
# What a question for "who" may ask of anybody who acts is left out.
_ACTS = set("ask back call report see speak tell view welcome".split())
_SAID = "|".join([*(rf"{word}(?:s|e?d)" for word in _SAY if word not in _ACTS), *_PAST])
_OPINION = (
    r"(?:views?|opinions?|reactions?|positions?|stance|take|thoughts?|comments?|statements?|responses?|reply"
    r"|answer|arguments?|criticisms?|attitude|demands?|assessment|expectations?|predictions?|warnings?|remarks?"
    r"|objections?|judge?ment|beliefs?|concerns?|fears?|hopes?|words)"
)
_CAPITALISED = r"[A-Z][\w.-]*(?:(?: (?:de|van|von|der|al|bin|&))? [A-Z][\w.-]*)*"
_NAME = rf"(?:[Tt]he (?:[\w-]+ ){{0,3}}?[\w'-]+(?: of (?:the )?{_CAPITALISED})?|{_CAPITALISED}|\w[\w-]*)"
_ADVERB = r"(?:(?:also|still|really|now|actually|first|then|ever|later|once|not|currently|recently)\ )*"
_ASKED = re.compile(
    rf"""\b(?:do|does|did|has|have|had|will|would|could|might|should)
    \ (?P<name>\S[^,?;:!]{{1,80}}?)(?:,\ [^,?]{{1,60}},)?\ {_ADVERB}
    (?:(?:have|had)\ to\ say|make\ of|(?:been\ )?(?:saying|said|told)|(?:{_SAYING})|(?:{_SAID}))\b(?!')""",
    re.VERBOSE | re.IGNORECASE,
)
_VIEW = re.compile(
    rf"\b(?<!in )(?<!In )(?P<name>{_NAME})'s? (?:\w+ )?{_OPINION}"
    r" (?:on|of|about|to|towards?|regarding|for|against|over|that|when|in|at)\b"
)
_BY = re.compile(
    rf"\b{_OPINION} (?:by|from|of) (?P<name>{_NAME})"
    r" (?=(?:on|about|to|towards?|regarding|for|against|over)\b)"
)
_FRAME = re.compile(
    r"\b(?:[Aa]ccording to (?P<name>\w[^,?;:!]{1,80}?)"
    r"(?=\s*[,?;:!.]|\s*$| (?:what|who|how|why|when|where|which)\b)"
    rf"|[Ii]n (?P<owner>{_NAME})'s? (?:view|opinion|eyes|judge?ment|words|account)\b)"
)
_WHO_SAID = re.compile(
    rf"^\W*(?:and |but |so )?who (?:else )?{_ADVERB}(?:has |have |had )?{_ADVERB}(?:{_SAID})\b", re.IGNORECASE
)
_BEFORE_TOPIC = re.compile(
    r"[\s,]*(?:(?:about|of|on|regarding|concerning|to|from|for|that|with|over|as|against|in response to"
    r"|towards?)\b\s*)?"
)
_PARTICLES = set("de van von der al bin of the & and du la le".split())
# What takes such verbs and says nothing itself, and who is not known by the word alone.
_THINGS = set(
    """report reports study studies paper papers survey article articles law rule rules bill plan deal
    agreement letter poll polls document documents data figures research estimate census text statistics
    evidence story book film treaty contract ruling map sign bridge ferry storm flood""".split()
)
_NOBODY = set(
    """he she they it you we i been one this that these those there what who which whom people anyone
    anybody someone somebody everyone everybody nobody today yesterday tomorrow week month year let here him
    her them""".split()
)
_ROLE = re.compile(
    r"""(?:mayor|minist(?:er|ry)|president|premier|chancellor|king|queen|prince|pope|union|captain|coach|judge
    |company|governments?|council|opposition|director|board|committee|police|chief|leaders?|head|owner|party|court|army
    |bank|\w+(?:ists?|ians?|man|woman|men|women|logist|master)|spokes\w+|workers?|farmers?|teachers?|officers?|players?
    |bakers?|manager|drivers?|governor|senator|professor|mediator|commissioner|ambassador|doctors?|engineers?
    |authorit(?:y|ies)|agency|experts?|residents?|critics?|daughter|son|wife|husband|mother|father)""",
    re.VERBOSE,
)
