"""Who is quoted where: what an English text puts in quotation marks, or reports, and whose words they are.

Precision first: a speaker is named where the sentence says so ("X said", "said X", "according to X", a quote
that goes on), and nobody where it does not. Quotes between single marks are left alone: an apostrophe looks
the same.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import zip_longest
from typing import Literal, NamedTuple

from indexer.models import Span


class Quotation(NamedTuple):
    """Words that a text gives as somebody's. All places are code points of the text.

    `place` holds the words: between the marks of a direct quotation, else the reported clause. It lies in one
    paragraph; what goes on elsewhere is another quotation of the same speaker. `speaker` is the fullest form
    of the name in the text, or a description as it stands there ("a spokesman for the ministry"), which
    begins with a small letter; None where it is not known. `speaker_place` is where the speaker stands
    beside the words ("he"), `cue` the verb.
    """

    place: Span
    speaker: str | None
    speaker_place: Span | None
    cue: Span | None
    direct: bool


def quotations(text: str) -> list[Quotation]:
    """What an English text quotes, in order of place, none overlapping another."""
    reader = _Reader(text)
    for line in _LINE.finditer(text):
        reader.read(line.start(), line.end())
    return sorted(reader.found)


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
    """How a speaker of a `Quotation` is known. A name has no small letters at the beginning of its words."""
    small = any(word[:1].islower() and word not in _PARTICLES | _INSIDE for word in speaker.split())
    return asked_for(speaker)[-1 if small else 0]


def asked_for(name: str) -> list[Called]:
    """Whom somebody may mean who asks for "Gabuev", "mr gabuev's" or "the ministry": a name, a description."""
    written = [re.sub("['’]s?$", "", word) for word in name.split()]
    words = tuple(filter(None, map(_folded, _untitled(written) or written)))
    whole = tuple(filter(None, map(_folded, written)))
    whole = whole[1:] if len(whole) > 1 and whole[0] in _DETERMINERS else whole
    return [Called(words, _last(words) if words else ""), Called(whole, " ".join(whole))]


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


# Words. None of these lists knows a person: they hold what the language has.


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_HE = _words("he")
_SHE = _words("she")
_PRONOUNS = _words("he she they it i we you who")
_DETERMINERS = _words(
    "the a an his her its their our my this these those one another some several many most two three",
    "four five both no each every other",
)
_PREPOSITIONS = _words(
    "of for at in on with from by to during after before about against among around as into near under over",
    "through between without within following since until like via outside inside behind toward towards",
)
_FUNCTION = _DETERMINERS | _PREPOSITIONS | _PRONOUNS | _words(
    "and but or nor so yet if when while because although though that which what where why how whether than",
    "then there here that not never is are was were be been being has have had do does did will would can could",
    "may might must shall should according yesterday today tomorrow tonight now still also even only just",
    "meanwhile however instead later earlier once again asked speaking yes no well him them us me whose whom",
    "more less such all any few much too very up down out off",
)  # fmt: skip
_DESCRIBES = _words("of for at from with")  # go on with a description: a spokesman for the ministry
_ASKING = _words("who which whom what how where whose")
_SUBJECTS = _words("he she they it i we you there the a an his her its their this these those our my") | {
    "no",
    "some",
    "many",
}
_ASIDE = _words("while if when as although though after before because since")  # begin what is no claim alone
_TOLD = _words("reporters him her them us me the a an and of press crowd audience supporters")
_DAYS = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july",
    "august september october november december jan. feb. mar. apr. aug. sept. sep. oct. nov. dec.",
)
_ADVERBS = _words(
    "also then later long once again just now still even often recently has have had soon further once first",
    "already always instead simply too earlier today yesterday himself herself publicly ’s 's once",
)
_NEVER = _words(
    "not never to will would could can may might must should cannot n't don't didn't doesn't don’t didn’t",
    "doesn’t won't won’t shall did do does if let",
)
_BE = _words("is are was were be been being 's ’s get gets got")
_TITLES_HE = _words("mr. mr sir lord king prince father brother congressman spokesman chairman councilman")
_TITLES_SHE = _words(
    "mrs. mrs ms. ms miss lady dame queen princess sister congresswoman spokeswoman chairwoman councilwoman"
)
_TITLES = _TITLES_HE | _TITLES_SHE | _words(
    "dr. dr prof. professor president vice-president vice minister secretary senator sen. sens. rep. reps.",
    "representative gov. governor mayor judge justice gen. general lt. lieutenant col. colonel capt. captain",
    "sgt. sergeant maj. major adm. admiral cmdr. commander pvt. cpl. officer chief director manager",
    "spokesperson chairperson chair ceo cfo coo executive editor reporter correspondent analyst author actor",
    "actress coach attorney ambassador envoy chancellor premier pope bishop archbishop cardinal rabbi rev.",
    "reverend pastor imam sheikh emir sultan ayatollah detective inspector constable superintendent sheriff",
    "deputy assistant commissioner councillor councilor councilmember councilmember-elect delegate speaker",
    "leader whip nominee candidate strategist adviser advisor counsel counselor aide economist scientist",
    "founder co-founder owner head principal dean chairwoman treasurer press foreign prime interior finance",
    "defense defence state treasury health justice republican democrat democratic republicans democrats",
    "conservative labour liberal independent former ex-president president-elect first second deputy-chief",
    "police fire hon. saint st. star singer rapper comedian host anchor columnist historian journalist",
)  # fmt: skip
# Titles that only people have.
_HONORIFICS = _TITLES_HE | _TITLES_SHE | _words(
    "dr. dr prof. professor president minister senator sen. rep. gov. governor mayor judge gen. general col.",
    "colonel capt. captain sgt. officer rev. reverend pope secretary coach chancellor premier",
)  # fmt: skip
_BODIES = _words(
    "university college institute institution times post journal news house party committee department",
    "ministry agency council court bank company corp. corp inc. inc group association foundation center",
    "centre church union office bureau board commission congress senate parliament administration campaign",
    "school hospital city county street avenue states kingdom nations press service services team club league",
    "authority organization organisation federation society fund trust force police army navy government",
    "network report magazine caucus conference act award awards day war street tower island river north south",
    "east west hill court",
)
_NO_NAMES = _TITLES | _FUNCTION | _DAYS
_PARTICLES = _words("de la von van der den di da du bin al el ibn dos le ben del della st. y e")
_INSIDE = _words("of for and")  # stand inside the names of bodies
_SUFFIXES = _words("jr. sr. jr sr ii iii iv")

# The commonest given names of English-speaking countries: they only ever speak against a pronoun.
_MEN = _words(
    "james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony",
    "mark donald steven paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan",
    "jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory frank",
    "alexander raymond patrick jack dennis jerry tyler aaron jose adam nathan henry douglas zachary peter kyle",
    "walter ethan jeremy harold keith christian roger noah gerald carl terry sean austin arthur lawrence jesse",
    "dylan bryan joe jordan billy bruce albert willie gabriel logan alan juan wayne roy ralph randy eugene",
    "vincent russell elijah louis bobby philip johnny bill jim tim mike steve tom bob dan ben chris matt jeff",
    "greg barack vladimir ivan mohammed muhammad ahmed ali carlos luis jorge pedro antonio simon ian graham neil",
    "stuart martin oliver harry liam luke josh max leo oscar alex boris emmanuel xavier igor sergei dmitry yuri",
    "ted fred ray jimmy tony nick rick ken ron don doug phil rob sam marco mitch newt rudy bernie",
)
_WOMEN = _words(
    "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra",
    "ashley kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura",
    "cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine",
    "debra rachel carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly",
    "lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara",
    "madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber doris marilyn",
    "danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori hillary anne",
    "jane kate katie liz beth sue jill claire fiona zoe lucy ella chloe amelia eva elena olga svetlana natasha",
    "fatima aisha leila rosa carmen ana lucia ursula angelina melania ivanka kamala nikki susie debbie wendy",
)

_GIVEN = _MEN | _WOMEN
_GIVEN_OR_MR = _GIVEN | {"mr.", "mrs.", "ms.", "mr", "mrs", "ms"}

_SAY = "say/said tell/told think/thought believe/believed"
_REPORT = (
    "add note explain write/wrote tweet ask reply/replied respond state claim argue insist continue recall declare "
    "announce acknowledge admit/admitted warn stress concede observe quip/quipped joke comment remark conclude "
    "contend assert suggest predict promise vow urge complain lament boast testify/testified report reveal confirm "
    "emphasize emphasise elaborate shout yell cry/cried chant plead wonder demand exclaim answer counter caution "
    "agree allege proclaim recount reiterate repeat retort scoff snap/snapped sneer underline underscore maintain "
    "mention muse opine pledge post protest reason reckon reflect remember clarify/clarified charge bemoan "
    "brag/bragged advise affirm estimate forecast/forecast indicate signal caution hint implore interject fume rail "
    "recommend reassure marvel object rejoin gush intone speculate sing/sang read/read"
)
_NAME = (
    "call describe label dub/dubbed denounce dismiss deride slam/slammed blast brand praise accuse criticize criticise "
    "characterize characterise condemn hail mock ridicule decry/decried term"
)


def _forms(verbs: str) -> tuple[list[str], list[str]]:
    """The finite forms of verbs ("add", "tell/told") in the third person and the past, and their participles."""
    finite, going = [], []
    for verb in verbs.split():
        base, _, past = verb.partition("/")
        stem = base.removesuffix("e") if base.endswith("e") else base
        third = (
            base[:-1] + "ies"
            if re.search("[^aeo]y$", base)
            else base + ("es" if base[-2:] in ("ss", "ch", "sh") else "s")
        )
        finite += [past or stem + "ed", third]
        doubled = past[:-2] if past.endswith(base[-1] * 2 + "ed") else stem
        going.append(doubled + "ing")
    return finite, going


_SAID, _SAYING = _forms(_SAY)
_REPORTED, _REPORTING = _forms(_REPORT)
_NAMED, _NAMING = _forms(_NAME)
_SAYS = frozenset(_SAID) | {"say"}  # need no "that" before what was said
_NAMES_IT = frozenset(_NAMED + _NAMING)  # stand before a name for something: called it “a mess”
_GOING = frozenset(_SAYING + _REPORTING + _NAMING)  # "adding": whose subject stands earlier
_CUES = _SAYS | _GOING | frozenset(_REPORTED + _NAMED)
# "claims", "states": as often things, so that only a name or a pronoun speaks with them.
_NOUNS = frozenset(form for form in _REPORTED + _NAMED if form.endswith("s"))
_TIMES = _words("week month year day morning afternoon evening night weekend summer spring fall winter time")
_TELLING = _CUES | frozenset("according : — – ― -".split())
_TELLS = frozenset("told tells telling asked asks asking".split())  # are followed by who was told


# Tokens: words, marks, and each quotation as one.


class _Token(NamedTuple):
    text: str
    lower: str
    start: int
    end: int
    kind: Literal["word", "mark", "quote"]
    inner: Span = Span(0, 0)  # of a quote, the words

    @property
    def capital(self) -> bool:
        return self.kind == "word" and (self.text[0].isupper() or self.text[:3] in {"al-", "el-"})


_LINE = re.compile(r"[^\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_TOKEN = re.compile(r"\w(?:[\w'’&@/-]|\.(?=\w))*\.?|[^\w\s]")
_MARK = re.compile("[\"“”]|''")
_ABBREVIATION = re.compile(
    r"(?:[A-Za-z]|(?:\w\.)+\w|Mrs?|Ms|Dr|Prof|Gen|Sens?|Reps?|Gov|Lt|Col|Sgt|Capt|Maj|Adm|Rev|Hon|St|Jr|Sr"
    r"|vs|No|Inc|Co|Corp|Ltd|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec)\."
)
_FEWEST_WORDS = 8  # of a quote whose speaker is not told; fewer may be a name or a doubt
_LONGEST_PHRASE = 12  # tokens
_LONGEST_SENTENCE = 300  # tokens; what is longer is a list or a table
_REACH = 1500  # characters back that "he" may reach
_MOST_TOKENS = 60  # looked through on either side of a cue


def _tokens(text: str, start: int, end: int) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text, start, end):
        word, at = match[0], match.start()
        if len(word) > 1 and word[-1] == "." and not _ABBREVIATION.fullmatch(word):
            yield _Token(word[:-1], word[:-1].lower(), at, match.end() - 1, "word")
            yield _Token(".", ".", match.end() - 1, match.end(), "mark")
        else:
            kind: Literal["word", "mark"] = "word" if word[0].isalnum() or word[0] == "_" else "mark"
            yield _Token(word, word.lower(), at, match.end(), kind)


class _Quote(NamedTuple):
    """What stands between two marks: `outer` with them. `goes_on`: its end was not marked."""

    outer: Span
    inner: Span
    goes_on: bool


def _quotes(text: str, start: int, end: int) -> list[_Quote]:
    """The quotes of a paragraph. One that is not closed runs to the paragraph's end, where it opens it."""
    found = []
    opened: int | None = None
    begins, nested = start, 0
    for match in _MARK.finditer(text, start, end):
        at, mark = match.start(), match[0]
        before = text[at - 1] if at > start else " "
        after = text[match.end()] if match.end() < end else " "
        opens = mark == "“" or (
            mark in {'"', "''"} and (before.isspace() or before in "([—–-―") and not after.isspace()
        )
        # A wrong mark at a paragraph's beginning is an opening one.
        opens = opens or (opened is None and mark == "”" and at == start)
        if opens and opened is not None and mark != text[opened:begins]:
            nested += 1
        elif opens:
            opened, begins, nested = at, match.end(), 0
        elif nested:
            nested -= 1
        elif opened is not None:
            inner = _stripped(text, begins, at)
            if inner.start < inner.end:
                found.append(_Quote(Span(opened, match.end()), inner, goes_on=False))
            opened = None
    if opened is not None and not text[start:opened].strip():
        inner = _stripped(text, begins, end)
        if inner.start < inner.end:
            found.append(_Quote(Span(opened, end), inner, goes_on=True))
    return found


def _between(quotes: list[_Quote], end: int) -> Iterator[tuple[int, int]]:
    """The stretches behind quotes, up to the next or the end."""
    for quote, following in zip_longest(quotes, quotes[1:]):
        yield quote.outer.end, following.outer.start if following else end


def _stripped(text: str, start: int, end: int) -> Span:
    inside = text[start:end]
    start += len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))


# Names.


class _Who(NamedTuple):
    """Somebody who speaks: `name` without titles, None for "he" and for "the ministry"."""

    place: Span
    text: str
    name: str | None
    before: str  # the words before a name, which may tell a man from a woman
    first: int  # its first token
    after: int  # the token after its last

    @property
    def pronoun(self) -> str | None:
        return self.text.lower() if self.name is None and self.text.lower() in _PRONOUNS else None


_RUN = re.compile(
    r"[^\W\d_a-z][\w'’.-]*(?:[ \xa0](?:(?:de|la|von|van|der|den|bin|al|el|del)[ \xa0]){0,3}[^\W\d_a-z][\w'’.-]*){1,5}"
)


_CAPITAL = re.compile(r"[^\W\d_a-z][\w'’-]+")


def _untitled(words: list[str]) -> list[str]:
    """The name in a run of capitalised words: what follows its last title; all of it where it names a body."""
    while words and (words[-1].lower() in _DAYS or words[-1].lower() in _FUNCTION):
        words = words[:-1]
    if words and words[-1].lower() in _BODIES:
        return words[1:] if words[0].lower() in _FUNCTION else words
    # King and Dean are titles and surnames.
    surname = len(words) > 1 and words[0].lower() in _GIVEN_OR_MR
    for at in range(len(words) - 1 - surname, -1, -1):
        if words[at].lower() in _NO_NAMES or words[at].lower().removesuffix("s") in _TITLES:
            return words[at + 1 :]
    return words


def _last(words: Sequence[str]) -> str:
    """What somebody is called by alone: the last word of a name that is no "Jr."."""
    kept = [word for word in words if word.lower() not in _SUFFIXES] or list(words)
    return kept[-1].lower()


class _Names:
    """The names of two words and more in a text, by their last."""

    def __init__(self, text: str) -> None:
        counts: Counter[tuple[str, ...]] = Counter()
        self._titled: set[str] = set()
        self.full = cache(self._full)
        for match in _RUN.finditer(text):
            run: list[str] = []
            for token in _tokens(text, match.start(), match.end()):
                if token.kind == "word":
                    run.append(re.sub("['’]s?$", "", token.text))
                if token.kind != "word" or token.text[-2:] in {"'s", "’s"}:
                    self._count(run, counts)
                    run = []
            self._count(run, counts)
        self.by_last: dict[str, dict[str, Counter[str]]] = {}
        for words, count in counts.items():
            if len(words) < 2:
                continue
            # "Republican Donald Trump" is "Donald Trump", where that stands too.
            shorter = [words[at:] for at in range(1, len(words) - 1) if words[at:] in counts]
            name = shorter[-1] if shorter else words
            group = self.by_last.setdefault(_last(name), {}).setdefault(name[0], Counter())
            group[" ".join(name)] += count

    def _count(self, run: list[str], counts: Counter[tuple[str, ...]]) -> None:
        name = tuple(_untitled(run))
        counts[name] += 1
        if name and len(name) < len(run) and run[-len(name) - 1].lower() in _HONORIFICS:
            self._titled.add(name[-1])

    def person(self, name: str, *, speaks: bool) -> bool:
        """Whether a name is surely somebody's: by a given name or a title; who speaks needs two words."""
        words = name.split()
        if not words or any(word.lower() in _BODIES for word in words) or name.isupper() or "/" in name:
            return False
        known = words[0].lower() in _GIVEN or words[-1] in self._titled
        return known or (speaks and len(words) > 1)

    def _full(self, name: str) -> str:
        """The fullest form of a name; as it is where it may be that of several people."""
        words = name.split()
        groups = self.by_last.get(_last(words), {})
        if len(words) > 1:
            return max([*groups.get(words[0], ()), name], key=len)
        ranked = sorted(groups.values(), key=lambda group: -group.total())
        if not ranked or (len(ranked) > 1 and ranked[0].total() < 2 * ranked[1].total()):
            return name
        return max(ranked[0], key=len)


# Noun phrases.


def _phrase(text: str, tokens: list[_Token], at: int) -> _Who | None:
    """Who the words from a token on name, as far as their phrase goes."""
    if at >= len(tokens) or tokens[at].kind != "word":
        return None
    first = tokens[at]
    if first.lower in _PRONOUNS:
        return _Who(Span(first.start, first.end), first.text, None, "", at, at + 1)
    end = at
    while end < min(len(tokens), at + _LONGEST_PHRASE) and tokens[end].kind == "word":
        word = tokens[end].lower
        if word in _INSIDE and _joins(tokens, at, end):
            end += 1
            continue
        if word in _CUES and not tokens[end].capital:
            break
        if (
            word in _FUNCTION
            and not (end == at and word in _DETERMINERS)
            and not (
                word in _PARTICLES
                and 0 < end < len(tokens) - 1
                and tokens[end + 1].capital
                and tokens[end - 1].capital
            )
        ):
            break
        end += 1
    while end > at and (tokens[end - 1].lower in _DAYS or _adverb(tokens[end - 1])):
        end -= 1
    words = tokens[at:end]
    if not words or (len(words) == 1 and first.lower in _FUNCTION):
        return None
    if words[-1].capital:
        start = len(words) - 1
        while start and (
            words[start - 1].capital
            or words[start - 1].lower in _PARTICLES
            or words[start - 1].lower in _INSIDE
        ):
            start -= 1
        while start < len(words) and not words[start].capital:
            start += 1
        run = [word.text for word in words[start:]]
        joined = first.lower == "the" and any(word in _INSIDE for word in run)
        name = run[1:] if joined and words[start] is first else run if joined else _untitled(run)
        if len(name) == 1 and (name[0].endswith("ing") or name[0].isdigit()):
            return None
        if name:
            named = words[-len(name) :]
            place = Span(named[0].start, named[-1].end)
            place = Span(
                place.start, place.end - 2 if text[place.end - 2 : place.end] in {"'s", "’s"} else place.end
            )
            before = " ".join(word.lower for word in words[: len(words) - len(name)])
            return _Who(place, text[place.start : place.end], " ".join(name), before, at, end)
    if first.lower in _PREPOSITIONS | _DAYS or words[-1].lower in _TIMES or words[-1].lower.endswith("ing"):
        return None
    while (
        end < len(tokens) - 1
        and end - at < _LONGEST_PHRASE
        and tokens[end].lower in _DESCRIBES
        and tokens[end + 1].kind == "word"
        and (tokens[end + 1].lower in _DETERMINERS or tokens[end + 1].lower not in _FUNCTION)
    ):
        end += 1
        while (
            end < len(tokens)
            and end - at < _LONGEST_PHRASE
            and tokens[end].kind == "word"
            and (tokens[end].lower not in _FUNCTION or tokens[end].lower in _DETERMINERS)
            and (tokens[end].capital or tokens[end].lower not in _CUES)
        ):
            end += 1
    if first.lower not in _DETERMINERS and end < len(tokens) - 1 and tokens[end].lower == "and":
        return _phrase(text, tokens, end + 1)  # handler and owner Janice Hayes
    place = Span(first.start, tokens[end - 1].end)
    described = text[place.start : place.end]
    if first.lower in _DETERMINERS:
        described = described[0].lower() + described[1:]
    return _Who(place, described, None, "", at, end)


def _adverb(token: _Token) -> bool:
    return token.kind == "word" and (
        token.lower in _ADVERBS or (token.lower.endswith("ly") and not token.capital)
    )


def _joins(tokens: list[_Token], at: int, of: int) -> bool:
    """Whether a word stands inside a name: the University of Michigan, the Centers for Disease Control and
    Prevention, Secretary of State John Kerry."""
    before = tokens[at:of]
    if not before or of + 1 >= len(tokens) or not (before[-1].capital and tokens[of + 1].capital):
        return False
    if tokens[of].lower == "of" and before[-1].lower in _TITLES | _BODIES:
        return True
    return (
        before[0].lower == "the"
        and len(before) > 1
        and before[1].lower not in _TITLES
        and all(token.capital or token.lower in _INSIDE for token in before[1:])
    )


def _subject(text: str, tokens: list[_Token], low: int, verb: int) -> _Who | None:
    """Who does what the verb at a token says, by the words between the token `low` and it."""
    end = verb
    while end > low and _adverb(tokens[end - 1]):
        end -= 1
    if end > low and tokens[end - 1].lower in _BE:
        if tokens[verb].lower not in _GOING:
            return None
        end -= 1
    if (
        end - low > 2
        and tokens[end - 1].lower in _TIMES
        and tokens[end - 2].lower in {"this", "last", "that"}
    ):
        end -= 2
    while end > low and tokens[end - 1].lower in _ADVERBS:
        end -= 1
    if end <= low or tokens[end - 1].lower in _NEVER or tokens[end - 1].text.lower().endswith(("n't", "n’t")):
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


def _joined(tokens: list[_Token], low: int, verb: int) -> bool:
    """Whether a verb goes on with the subject of another: "laughed and said"."""
    while verb > low and _adverb(tokens[verb - 1]):
        verb -= 1
    return verb > low and tokens[verb - 1].lower in {"and", "but"}


def _before_comma(text: str, tokens: list[_Token], low: int, comma: int) -> _Who | None:
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
        if not tokens[start].capital and tokens[start].lower not in _DETERMINERS:
            continue
        if tokens[start].lower in _PREPOSITIONS:
            continue
        who = _phrase(text, tokens, start)
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


def _goes_to(tokens: list[_Token], at: int, end: int) -> bool:
    """Whether only "of Flint", "(D-Wis.)" or the like stands between a phrase and a token."""
    return at == end or (at < end and (tokens[at].lower in _PREPOSITIONS or tokens[at].text == "("))


def _ending(text: str, tokens: list[_Token], low: int, end: int) -> _Who | None:
    """Who the phrase that ends before a token names."""
    if end <= low or tokens[end - 1].kind != "word":
        return None
    if tokens[end - 1].lower in _PRONOUNS - {"who"}:
        asked = end - 1 > low and tokens[end - 2].lower in _ASKING
        return None if asked else _phrase(text, tokens, end - 1)
    start = end
    while start > low and end - start < _LONGEST_PHRASE and tokens[start - 1].kind == "word":
        word = tokens[start - 1].lower
        if word in _DAYS:
            break
        if word in _DETERMINERS:
            start -= 1
            if start > low and tokens[start - 1].lower in _DESCRIBES:
                continue
            break
        if word in _FUNCTION and word not in _DESCRIBES and word not in _PARTICLES:
            break
        start -= 1
    if start > low and tokens[start - 1].lower in _ASKING:
        return None
    if (
        start > low + 1
        and tokens[start - 1].lower == "and"
        and tokens[start].capital
        and tokens[start - 2].capital
    ):
        whole = start - 1
        while whole > low and (tokens[whole - 1].capital or tokens[whole - 1].lower in _INSIDE):
            whole -= 1
        if (
            whole < start - 1
            and tokens[whole].lower == "the"
            or (whole > low and tokens[whole - 1].lower == "the")
        ):
            start = whole if tokens[whole].lower == "the" else whole - 1
    if start > low + 1 and tokens[start - 1].lower in _PREPOSITIONS:  # Ramona Santana in Higüey
        who = _phrase(text, tokens, low)
        if who and who.after == start - 1 and tokens[low].lower not in _PREPOSITIONS:
            return who
        if tokens[start].lower not in _DETERMINERS or tokens[low].lower not in _PREPOSITIONS:
            return None
    while start < end and tokens[start].lower in _ADVERBS:
        start += 1
    who = _phrase(text, tokens, start) if start < end else None
    if who is None or who.after > end or not _goes_to(tokens, who.after, end):
        return None
    return who


# The walk.


class _Said(NamedTuple):
    """That somebody says something: `first` to `after` are the tokens that tell it."""

    who: _Who
    cue: Span
    first: int
    after: int
    left: int | None  # the quote before it that is theirs, as a token
    right: int | None  # and the one after it


class _Speaker(NamedTuple):
    name: str | None
    place: Span
    cue: Span


class _Reader:
    """Reads a text paragraph by paragraph, and remembers who spoke."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = _Names(text)
        self.found: list[Quotation] = []
        self._subjects: list[tuple[int, str, str]] = []  # where, the name, the words before it
        self._speaker: _Speaker | None = None  # of the last quote
        self._open: list[
            int
        ] = []  # quotes of one speech, by their places in `found`, that wait for their speaker
        self._goes_on = False
        self._ended_quoting = False  # the last sentence of the paragraph before had a quote of known speaker
        self._announced: _Speaker | None = None  # "X said:" ended the paragraph before
        self._paragraph = 0
        self._before = 0

    def read(self, start: int, end: int) -> None:
        quotes = _quotes(self.text, start, end)
        if not self.text[start:end].strip():
            return
        self._before, self._paragraph = self._paragraph, start
        opens = bool(quotes) and not self.text[start : quotes[0].outer.start].strip()
        if not (self._goes_on and opens):
            self._open = []
            bare = opens and not any(self.text[a:b].strip() for a, b in _between(quotes, end))
            if opens and self._announced:
                self._speaker = self._announced
            elif not (bare and self._ended_quoting):
                self._speaker = None
        self._announced = None
        self._ended_quoting = False
        for tokens in self._sentences(quotes, start, end):
            self._sentence(tokens)
        self._goes_on = bool(quotes) and quotes[-1].goes_on

    # Sentences.

    def _sentences(self, quotes: list[_Quote], start: int, end: int) -> Iterator[list[_Token]]:
        tokens: list[_Token] = []
        for token in self._all_tokens(quotes, start, end):
            if tokens and (len(tokens) == _LONGEST_SENTENCE or self._ends(tokens, token)):
                yield tokens
                tokens = []
            tokens.append(token)
        if tokens:
            yield tokens

    def _all_tokens(self, quotes: list[_Quote], start: int, end: int) -> Iterator[_Token]:
        at = start
        for quote in quotes:
            yield from _tokens(self.text, at, quote.outer.start)
            yield _Token(self.text[slice(*quote.inner)], "", *quote.outer, "quote", quote.inner)
            at = quote.outer.end
        yield from _tokens(self.text, at, end)

    def _ends(self, tokens: list[_Token], following: _Token) -> bool:
        last = tokens[-1]
        if last.end == following.start:
            return False
        if not (following.capital or following.kind == "quote" or following.text in "‘'(["):
            return False
        if last.kind == "quote":
            return last.text[-1] in ".!?…" and not (
                last.text[-1] in "!?" and following.kind == "word" and self._may_tell(following)
            )
        if last.text == ")" and len(tokens) > 1:
            last = tokens[-2]
        return last.text in {".", "!", "?"} or (last.text == "…" and following.capital)

    def _may_tell(self, following: _Token) -> bool:
        """Whether "“Why?” Trump asked" goes on behind the mark."""
        words = list(_tokens(self.text, following.start, min(len(self.text), following.start + 80)))
        cue = next((at for at, word in enumerate(words) if not word.capital), 0)
        return cue > 0 and words[cue].lower in _CUES

    def _sentence(self, tokens: list[_Token]) -> None:
        opening = self._opening(tokens)
        self._remember([opening] if opening else [], speak=False)
        said = list(self._tellings(tokens))
        quoted: dict[int, _Said] = {}
        for one in said:
            for at in (one.left, one.right):
                if at is not None:
                    quoted.setdefault(at, one)
        speakers = [self._known(one.who, one.cue, tokens) for one in said]
        of = dict(zip(map(id, said), speakers, strict=True))
        covered = [
            (span, of[id(one)])
            for one in said
            if one.left is None and one.right is None
            for span in self._reported(tokens, one, said)
        ]
        covered = [
            (span, who)
            for n, (span, who) in enumerate(covered)
            if not any(span.start < other.end and other.start < span.end for other, _ in covered[:n])
        ]
        for span, speaker in covered:
            self.found.append(Quotation(span, speaker.name, speaker.place, speaker.cue, direct=False))
        words = sum(token.kind == "word" for token in tokens)
        last: _Speaker | None = self._speaker if not words else None
        for at, token in enumerate(tokens):
            if token.kind != "quote":
                continue
            if any(span.start <= token.start and token.end <= span.end for span, _ in covered):
                continue
            if at in quoted:
                last = of[id(quoted[at])]
            self._quote(token, last, sure=at in quoted or not words)
            if last:
                self._speaker = last
        self._remember([one.who for one in said], speak=True)
        self._ended_quoting = last is not None
        if tokens[-1].text == ":" and said:
            self._announced = speakers[-1]

    def _quote(self, token: _Token, speaker: _Speaker | None, *, sure: bool) -> None:
        if not sure and len(token.text.split()) < _FEWEST_WORDS:
            return
        inner = token.inner
        if speaker is None:
            self._open.append(len(self.found))
            self.found.append(Quotation(inner, None, None, None, direct=True))
            return
        if self._goes_on or self._open:
            for waiting in self._open:
                place = self.found[waiting].place
                self.found[waiting] = Quotation(place, *speaker, direct=True)
            self._open = []
        self.found.append(Quotation(inner, *speaker, direct=True))

    # Who says something.

    def _tellings(self, tokens: list[_Token]) -> Iterator[_Said]:
        low = 0
        before: _Said | None = None
        for at, token in enumerate(tokens):
            if token.kind == "quote":
                low = at + 1
            one = self._telling(tokens, low, at, before) if token.lower in _TELLING else None
            if one:
                before = one
                yield one

    def _telling(self, tokens: list[_Token], low: int, at: int, before: _Said | None) -> _Said | None:
        text, token = self.text, tokens[at]
        cue = Span(token.start, token.end)
        if token.lower == "according" and at + 1 < len(tokens) and tokens[at + 1].lower == "to":
            who = _phrase(text, tokens, at + 2)
            cue = Span(token.start, tokens[at + 1].end)
            return who and _Said(who, cue, at, who.after, self._left(tokens, low, at), None)
        if token.text == ":" and low == 0 and at + 1 < len(tokens) and tokens[at + 1].kind == "quote":
            who = _phrase(text, tokens, 0)
            if who and who.name and who.after == at and tokens[at + 1].text[-1] in ".!?":
                return _Said(who, cue, 0, at + 1, None, at + 1)
        if (
            token.text in {"—", "–", "―", "-"}
            and at
            and tokens[at - 1].text[-1] in ".!?"
            and tokens[at - 1].kind == "quote"
        ):
            who = _phrase(text, tokens, at + 1)
            return (
                _Said(who, cue, at, who.after, at - 1, None)
                if who and who.name and who.after >= len(tokens) - 1
                else None
            )
        if at == 0 and token.capital and token.lower in _CUES - _GOING:  # Added Ellis: “…”
            who = _phrase(text, tokens, 1)
            right = self._right(tokens, who.after - 1, inverted=True) if who and who.name else None
            return who and _Said(who, cue, 0, who.after, None, right) if right is not None else None
        if token.lower not in _CUES or token.capital:
            return None
        left = self._left(tokens, low, at)
        if left is not None and token.lower not in _GOING:  # “…,” said X
            after = at + 1
            while after < len(tokens) and _adverb(tokens[after]):
                after += 1
            who = _phrase(text, tokens, after)
            if who and (
                who.name or who.pronoun or tokens[after].lower in _DETERMINERS or who.after - after > 0
            ):
                return _Said(who, cue, at, who.after, left, self._right(tokens, who.after - 1, inverted=True))
        right = self._right(tokens, at)
        if token.lower in _GOING and not (at and tokens[at - 1].lower in _BE):
            if at > low and tokens[at - 1].capital:  # footage of Clinton asking, “…”
                name = at - 1
                while name > low and tokens[name - 1].capital:
                    name -= 1
                who = _phrase(text, tokens, name)
                return (
                    _Said(who, cue, at, at + 1, None, right)
                    if who and who.name and right is not None
                    else None
                )
            who = before.who if before else self._opening(tokens)
            return _Said(who, cue, at, at + 1, None, right) if who and (right is not None or before) else None
        who = _subject(text, tokens, max(low, at - _MOST_TOKENS), at)
        if who is None:
            joined = _joined(tokens, low, at)
            who = (before.who if before else self._opening(tokens)) if joined else None
            return _Said(who, cue, at, at + 1, None, right) if who else None
        first = min(who.first, at)
        left = self._left(tokens, low, first)
        if (
            not who.name
            and not who.pronoun
            and (token.lower in _NAMES_IT or (token.lower in _NOUNS and left is None and right is None))
        ):
            return None
        return _Said(who, cue, first, at + 1, left, right)

    def _left(self, tokens: list[_Token], low: int, at: int) -> int | None:
        """The quote that ends where a telling begins, if it ends as what goes on does."""
        if low == 0:
            return None
        quote = tokens[low - 1]
        if low > 1 and tokens[low - 2].kind == "word":  # on CBS's “Face the Nation,” Ryan said
            said = quote.text.split()
            if (
                all(word[0].isupper() for word in said if len(word) > 3)
                or len(said) < 4
                and said[0][0].isupper()
            ):
                return None
        if at == low and (quote.text[-1] in ",?!.…—–-―'’" or tokens[at].lower == "according"):
            return low - 1
        if at == low + 1 and tokens[low].text in {",", "—", "–", "―"}:
            return low - 1
        return None

    def _right(self, tokens: list[_Token], cue: int, *, inverted: bool = False) -> int | None:
        """The quote that a telling introduces."""
        at = cue + 1
        while at < len(tokens) and tokens[at].kind != "quote" and at - cue < _MOST_TOKENS:
            at += 1
        if at >= len(tokens) or tokens[at].kind != "quote":
            return None
        gap = tokens[cue + 1 : at]
        words = [token.lower for token in gap]
        if not words or words in (["that"], [","], [":"], ["that", ","], [",", "that"]):
            return at
        if words[-1] == ":":
            return at
        if inverted:
            return (
                at
                if words[-1] == "," and "," not in words[:-1] and words[0] in _PREPOSITIONS | _DAYS
                else None
            )
        cue_word = tokens[cue].lower
        if cue_word in _NAMES_IT:
            plain = all(token.kind == "word" and (token.lower not in _CUES) for token in gap)
            return at if plain and len(gap) <= _LONGEST_PHRASE else None
        aside = words[0] in _PREPOSITIONS | _DAYS | _ADVERBS or words[0].endswith("ly") or cue_word in _TELLS
        if (
            words[-1] == ","
            and aside
            and "that" not in words
            and not any(word in _PRONOUNS - {"her", "you", "it"} for word in words)
        ):
            return at
        if (
            cue_word in _TELLS
            and len(gap) <= 4
            and all(token.capital or token.lower in _TOLD for token in gap)
            and words[-1][-2:] not in {"'s", "’s"}
        ):
            return at
        if all(word in _DAYS or word.endswith("ly") for word in words):
            return at
        return None

    def _opening(self, tokens: list[_Token]) -> _Who | None:
        """The subject of a sentence that begins with it: a person, as far as one can tell, or a pronoun."""
        at = 0
        while at < len(tokens) and tokens[at].lower in {"but", "and", "so", "yet", "still", "then"}:
            at += 1
        who = _phrase(self.text, tokens, at)
        if who and (who.name or who.pronoun):
            return who
        # "Italy’s new prime minister Giorgia Meloni voiced": names end where small letters go on.
        for end in range(at, min(len(tokens), at + _LONGEST_PHRASE)):
            if tokens[end].kind != "word" or (tokens[end].lower in _FUNCTION and end > at):
                break
            goes_on = end + 1 < len(tokens) and tokens[end + 1].capital
            if tokens[end].capital and not goes_on and tokens[end].text[-2:] not in {"'s", "’s"}:
                who = _phrase(self.text, tokens[: end + 1], at)
                full = self.names.full(who.name) if who and who.name else ""
                if self.names.person(full, speaks=False):
                    return who
                if " " in full:  # somebody, or something, unknown
                    break
        return None

    # What is reported without marks.

    def _reported(self, tokens: list[_Token], one: _Said, said: list[_Said]) -> Iterator[Span]:
        text = self.text
        if tokens[-1].text == ":":
            return
        end = len(tokens)
        while end and tokens[end - 1].kind == "mark" and tokens[end - 1].text not in {")", "%", "'", "’"}:
            end -= 1
        cue = text[one.cue.start : one.cue.end].lower()
        if cue.startswith("according"):
            if one.first == 0:
                at = one.after
                while at < end and tokens[at].text != ",":
                    at += 1
                if at + 1 < end and at - one.after <= _LONGEST_PHRASE:
                    yield from self._clause(tokens, at + 1, end)
            elif one.first >= 4:
                yield from self._clause(tokens, 0, one.first)
            return
        later = min(
            (other.first if other.left is None else other.left for other in said if other.first >= one.after),
            default=end,
        )
        stop = min(end, later)
        at = one.after
        if cue in _TELLS:
            that = next((n for n in range(at, min(stop, at + 9)) if tokens[n].lower == "that"), None)
            if that is None:
                while at < stop and (tokens[at].capital or tokens[at].lower in _TOLD):
                    at += 1
                if at >= stop or at == one.after or tokens[at].lower not in _SUBJECTS:
                    return
                if cue[:3] == "ask":
                    return
            else:
                at = that
        if at < stop and tokens[at].lower == "that":
            yield from self._clause(tokens, at + 1, stop)
            return
        # "clause, X said Monday": nothing follows but when and where.
        trailing = (
            at >= end
            or (
                tokens[at].lower in _DAYS
                or (cue in _SAYS and (tokens[at].lower in _PREPOSITIONS or _adverb(tokens[at])))
            )
            and not any(token.lower in {"that"} or token.text == "," for token in tokens[at:end])
        )
        if trailing and one.first >= 5 and tokens[one.first - 1].text == "," and later >= end:
            earlier = max((other.after for other in said if other.after <= one.first), default=0)
            if earlier == 0 and tokens[0].lower not in _ASIDE:
                yield from self._clause(tokens, 0, one.first)
                return
        that = next((n for n in range(at, min(stop, at + 10)) if tokens[n].lower == "that"), None)
        if that is not None and tokens[at].lower in _PREPOSITIONS | _DAYS:
            yield from self._clause(tokens, that + 1, stop)
            return
        while at < stop and tokens[at].lower in _DAYS:
            at += 1
        if at >= stop:
            return
        begins = tokens[at].lower in _PRONOUNS | {"there"} or (
            cue in _SAYS
            and tokens[at : at + 2][-1].lower != "same"
            and (
                tokens[at].capital
                or tokens[at].lower in _DETERMINERS
                or tokens[at].lower not in _FUNCTION | _ADVERBS
            )
        )
        if begins and cue not in _NAMES_IT:
            yield from self._clause(tokens, at, stop)

    def _clause(self, tokens: list[_Token], start: int, end: int) -> Iterator[Span]:
        while end > start and (
            tokens[end - 1].text in ",;:—–" or tokens[end - 1].lower in {"and", "but", "while", "as"}
        ):
            end -= 1
        if (
            sum(token.kind == "word" for token in tokens[start:end])
            + 3 * any(t.kind == "quote" for t in tokens[start:end])
            >= 3
        ):
            yield Span(tokens[start].start, tokens[end - 1].end)

    # Who that is.

    def _known(self, who: _Who, cue: Span, tokens: list[_Token]) -> _Speaker:
        if who.name:
            return _Speaker(self.names.full(who.name), who.place, cue)
        if who.pronoun is None:
            return _Speaker(who.text, who.place, cue)
        return _Speaker(self._meant(who.pronoun, who.place.start), who.place, cue)

    def _meant(self, pronoun: str, at: int) -> str | None:
        """Whom "he" or "she" means: the last who was the subject of a sentence in this paragraph or the one
        before, unless a name or title speaks against it, or another was named since."""
        if pronoun not in {"he", "she"}:
            return None
        for place, name, before in reversed(self._subjects):
            if place < max(self._before, at - _REACH):
                break
            if place < at and _sex(name, before) in {pronoun, None}:
                return None if self._another(pronoun, name, place, at) else name
        return None

    def _another(self, pronoun: str, name: str, start: int, end: int) -> bool:
        """Whether somebody else of the text was named between two places, and the first not again."""
        last, other = name.split()[-1], False
        known = {subject for _, subject, _ in self._subjects}
        quoted = [one.place for one in self.found[-_MOST_TOKENS:] if one.direct]
        for match in _CAPITAL.finditer(self.text, start, end):
            word = re.sub("['’]s$", "", match[0])
            if any(place.start <= match.start() < place.end for place in quoted):
                continue
            if word == last:
                other = False
            elif (full := self.names.full(word)) in known or self.names.person(full, speaks=False):
                other = other or _sex(full, "") in {pronoun, None}
        return other

    def _remember(self, whos: list[_Who], *, speak: bool) -> None:
        """Keeps who is the subject of a sentence, or speaks in it: the next may call them he or she."""
        for who in whos:
            name = self.names.full(who.name) if who.name else None
            if who.pronoun:
                name = self._meant(who.pronoun, who.place.start)
            if name and (who.pronoun or self.names.person(name, speaks=speak)):
                self._subjects.append((who.place.start, name, who.before))
        self._subjects[:] = sorted(self._subjects[-_MOST_TOKENS:])


def _sex(name: str, before: str) -> str | None:
    words = set(before.split())
    first = name.split()[0].lower()
    if words & _TITLES_HE or first in _MEN:
        return "he"
    if words & _TITLES_SHE or first in _WOMEN:
        return "she"
    return None
