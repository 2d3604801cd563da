"""The closed lists of the gate: verbs of saying, words that turn or weaken a claim, and orders."""

import re
from typing import NamedTuple

from indexer.quotes.words import CUES, NOUNS


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Verbs that tell that something is said, and judge nothing ("admits", "claims", "promises" are missing). None
# needs a thing that it is said of, as "describes" does.
SAYING = _words(
    """
    say says said tell tells told state states stated report reports reported write writes wrote explain explains
    explained add adds added note notes noted argue argues argued comment comments commented remark remarks
    remarked reply replies replied answer answers answered respond responds responded stress stresses stressed
    emphasize emphasizes emphasized emphasise emphasises emphasised observe observes observed elaborate elaborates
    elaborated warn warns warned insist insists insisted reckon reckons reckoned expect expects expected think
    thinks thought believe believes believed
    """
)
PERSONAL = _words("he she they")
POINTING = PERSONAL | _words(
    "it him her them his hers their theirs its this these those such"
)  # mean what stood before
FIRST_PERSON = _words("i we")
ARTICLES = _words("the a an")
SUBJECTS = ARTICLES | PERSONAL | FIRST_PERSON | _words("it there this these those")  # begin a clause
TELLING = (CUES - NOUNS) | SAYING | {"according"}


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
CONDITION = _words("if unless whether provided")

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
    """A word or a number as it is compared: in small letters, without the marks around it."""

    text: str
    start: int
    end: int
    behind: str
    """The marks and spaces up to the next word."""

    @property
    def number(self) -> bool:
        return self.text in NUMBER_WORDS or any(map(str.isdigit, self.text))

    @property
    def negates(self) -> bool:
        return bool(NEGATIVE.fullmatch(self.text))

    @property
    def doubts(self) -> bool:
        return bool(DOUBTFUL.fullmatch(self.text))


_PIECE = re.compile(r"[^\s—–…]+")
_MARKS_BEHIND = '".,;:!?()[]{}*-'  # an apostrophe behind a word is of the word: the workers'
_MARKS = _MARKS_BEHIND + "'"


def words_of(text: str) -> list[Word]:
    """The words of a text whose marks are straight, in order. Signs of currency and percent are of their word."""
    bare: list[tuple[int, int]] = []
    for match in _PIECE.finditer(text):
        start = match.start() + len(match[0]) - len(match[0].lstrip(_MARKS))
        end = match.start() + len(match[0].rstrip(_MARKS if start > match.start() else _MARKS_BEHIND))
        if start < end and any(map(str.isalnum, text[start:end])):
            bare.append((start, end))
    following = [*(start for start, _ in bare), len(text)][1:]
    return [
        Word(text[start:end].lower(), start, end, text[end:after])
        for (start, end), after in zip(bare, following, strict=True)
    ]
