"""The closed lists of the gate: words that claim nothing, words that turn or weaken a claim, and orders."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from indexer.quotes.words import CUES


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Make a sentence of what is claimed and claim nothing themselves. Missing on purpose: "all", "only", "every",
# "must", "because", "against", "still", "again" and their like, which a source has to have as well.
FUNCTION = _words(
    """
    a an the this that these those his her its their our my your whose which what of for at in on with from by
    to during after before about among around as into near under over through between within since until toward
    towards upon onto regarding concerning and or but while whereas when where who whom how why although though
    than so is are was were be been being has have had having do does did will would can could may might he she
    they it him them there here i we you us me myself himself herself itself themselves one ones also however
    meanwhile additionally furthermore moreover further then later such well mr mrs ms dr s if whether
    """
)
# Tell that something is told. Verbs that judge what is told ("admits", "claims", "promises") are missing.
ATTRIBUTION = _words(
    """
    say says said saying tell tells told telling state states stated stating according article articles report
    reports reported reporting write writes wrote written writing explain explains explained explaining add adds
    added adding note notes noted noting describe describes described describing call calls called calling
    expect expects expecting think thinks thought thinking believe believes believed believing view views see
    sees argue argues argued arguing comment comments commented commenting remark remarks remarked remarking put
    puts putting it mention mentions mentioned mentioning quote quotes quoted quoting words statement interview
    reply replies replied replying answer answers answered answering respond responds responded responding
    stress stresses stressed stressing emphasize emphasizes emphasized emphasizing emphasise emphasises emphasised
    emphasising point points pointed pointing out observe observes observed observing elaborate elaborates
    elaborated warn warns warned warning insist insists insisted insisting reckon reckons reckoned reckoning
    recall recalls recalled recalling suggest suggests suggested suggesting newspaper paper story account
    """
)
SAYING = CUES | (
    ATTRIBUTION - _words("it out articles words statement interview newspaper paper story account")
)
OPINION = _words(
    "expect expects expecting think thinks thought thinking believe believes believed believing see sees"
)

PERSONAL = _words("he she they him her them his hers their theirs himself herself themselves")
POINTING = PERSONAL | _words("it its this these those such")  # mean what stood before
PRONOUNS = PERSONAL | _words("it its")


def _any_of(listed: str) -> "re.Pattern[str]":
    """Whole words; "*" stands for any ending."""
    return re.compile("|".join(listed.replace("*", r"\w*").split()))


NEGATIVE = _any_of(
    r"""
    not no never none nobody nothing neither nor nowhere without cannot hardly scarcely barely rarely seldom
    unlikely impossible untrue false falsely wrong wrongly den(?:y|ies|ied|ying|ial)* reject* refus* disput*
    doubt* refut* rebut* contrary fail* lack* incorrect* prevent* \w+n't
    """
)
# "Would" is missing: it tells of what comes, seen from the past.
DOUBTFUL = _any_of(
    r"""
    if unless whether may might could should ought perhaps maybe allegedly alleged reportedly possibl[ey]
    potential(?:ly)? probabl[ey] likely unlikely apparently supposed(?:ly)? rumou?r* expect* hop(?:e|es|ed|ing)
    fear* want* wish* plan(?:s|ning)? propos* consider* demand* suggest* suspect* assum* speculat* claim* promis* vow*
    pledg* threat* seek* sought intend* aim* den(?:y|ies|ied|ying) doubt* disput*
    """
)
CONTRARY = _words("against instead rather")  # turn what stands behind them, as "not" does
PLAIN_NEGATIONS = _words("not no never nor neither none nobody nothing cannot")
CONDITION = _words("if unless whether")
MODAL = _words("may might could would should perhaps possibly")

NUMBER_WORDS = _words(
    """
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands
    million millions billion billions trillion half third quarter dozen dozens twice double triple
    """
)

# What speaks to whoever answers and not to readers. A paragraph with it is evidence of nothing.
ORDERS = re.compile(
    r"""
      \b(?:ignore|disregard|forget|override)\b[^.\n]{0,40}\b(?:instruction|prompt|rule|direction|guideline|context)s?\b
    | \b(?:ignore|disregard|forget)\ (?:all|any|everything|the|what)?\s?(?:of\ )?(?:the\ )?(?:previous|prior|above|earlier)\b
    | \byou\ are\ (?:now\ )?(?:an?\ |the\ )?(?:helpful\ )?(?:ai|a\.i\.|assistant|chatbot|language\ model|llm|bot)\b
    | \b(?:system|developer)\ (?:prompt|message)\b | \bprompt\ injection\b
    | \bas\ an\ ai\b | \b(?:(?:ai|chat)\ ?(?:assistant|bot|model)|language\ model|LLM)s?\s?(?:must|should|:|,)
    | <\|?/?(?:im_start|im_end|system|user|assistant|endoftext)\b | \[/?(?:INST|SYS)\] | ^\W*(?:system|assistant|user)\ ?:
    | (?:^|[.:;,!?"'()*]\s*|\b(?:please|must|should|now|always|and|then|to)\ )
      (?:reply|respond|answer|output|print|repeat|write|say|state|tell\ the\ user)[ ]
      (?:(?:only|exactly|simply|just)\b|(?:with|that|as\ follows|the\ following|to\ (?:the|this|every|any|all)
      \ (?:question|user|query|prompt))\b)
    | \b(?:cite|quote|use)\ (?:it\ as\ )?(?:(?:passage|source|article|number|citation)\ )?[\[【(]?\d+[\]】)]
    | \b(?:instructions?|notes?|message)\ (?:to|for)\ (?:the\ |any\ |all\ )?(?:ai|assistants?|models?|reader\ model|chatbots?|answerer|language\ models?|LLMs?)\b
    | \b(?:new|following|hidden)\ instructions?\b
    | \b(?:do\ not|don't|never)\ (?:mention|reveal|disclose|cite)\b[^.\n]{0,40}\b(?:instruction|prompt|passage|source)s?\b
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)


class Word(NamedTuple):
    """A word or a number of a text; what stands behind an apostrophe of possession is left out."""

    text: str
    lower: str
    start: int
    end: int

    @property
    def capital(self) -> bool:
        return self.text[0].isupper() or (self.text != self.lower and not self.number)

    @property
    def number(self) -> bool:
        return self.lower in NUMBER_WORDS or any(map(str.isdigit, self.text))

    @property
    def negates(self) -> bool:
        return bool(NEGATIVE.fullmatch(self.lower))

    @property
    def doubts(self) -> bool:
        return bool(DOUBTFUL.fullmatch(self.lower))


_WORD = re.compile(r"\d+(?:[.,:]\d+)*\w*|\w+(?:['-]\w+)*")
_POSSESSIVE = re.compile(r"'s$")


def words_of(text: str) -> list[Word]:
    """The words of a text whose marks are straight, in order."""
    found = []
    for match in _WORD.finditer(text):
        word = _POSSESSIVE.sub("", match[0])
        found.append(Word(word, word.lower(), match.start(), match.start() + len(word)))
    return found


def turning(words: Sequence[Word]) -> int:
    """How much words turn what stands beside them: 2 where they say that it is not so, 1 where they doubt it."""
    if any(word.negates or word.lower in CONTRARY for word in words):
        return 2
    return int(any(word.doubts and word.lower not in OPINION for word in words))
