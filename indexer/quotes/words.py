"""The words that tell who speaks. None of these lists knows a person: they hold what the language has."""

import re


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


PRONOUNS = _words("he she they it i we you who")
DETERMINERS = _words(
    "the a an his her its their our my this these those one another some several many most two three",
    "four five both no each every other",
)
PREPOSITIONS = _words(
    "of for at in on with from by to during after before about against among around as into near under over",
    "through between without within following since until like via outside inside behind toward towards",
)
FUNCTION = DETERMINERS | PREPOSITIONS | PRONOUNS | _words(
    "and but or nor so yet if when while because although though that which what where why how whether than",
    "then there here that not never is are was were be been being has have had do does did will would can could",
    "may might must shall should according yesterday today tomorrow tonight now still also even only just",
    "meanwhile however instead later earlier once again asked speaking yes no well him them us me whose whom",
    "more less such all any few much too very up down out off",
)  # fmt: skip
DESCRIBES = _words("of for at from with")  # go on with a description: a spokesman for the ministry
ASKING = _words("who which whom what how where whose")
SUBJECTS = _words("he she they it i we you there the a an his her its their this these those our my") | {
    "no",
    "some",
    "many",
}
ASIDE = _words("while if when as although though after before because since")  # begin what is no claim alone
TOLD = _words("reporters him her them us me the a an and of press crowd audience supporters")
DAYS = _words(
    "monday tuesday wednesday thursday friday saturday sunday january february march april june july",
    "august september october november december jan. feb. mar. apr. aug. sept. sep. oct. nov. dec.",
)
ADVERBS = _words(
    "also then later long once again just now still even often recently has have had soon further once first",
    "already always instead simply too earlier today yesterday himself herself publicly ’s 's once",
)
NEVER = _words(
    "not never to will would could can may might must should cannot n't don't didn't doesn't don’t didn’t",
    "doesn’t won't won’t shall did do does if let",
)
BE = _words("is are was were be been being 's ’s get gets got")
TITLES_HE = _words("mr. mr sir lord king prince father brother congressman spokesman chairman councilman")
TITLES_SHE = _words(
    "mrs. mrs ms. ms miss lady dame queen princess sister congresswoman spokeswoman chairwoman councilwoman"
)
TITLES = TITLES_HE | TITLES_SHE | _words(
    "dr. dr prof. professor president  vice minister secretary senator sen. sens. rep. reps.",
    "representative gov. governor mayor judge justice gen. general lt. lieutenant col. colonel capt. captain",
    "sgt. sergeant maj. major adm. admiral cmdr. commander pvt. cpl. officer chief director manager",
    "spokesperson chairperson chair ceo cfo coo executive editor reporter correspondent analyst author actor",
    "actress coach attorney ambassador envoy chancellor premier pope bishop archbishop cardinal rabbi rev.",
    "reverend pastor imam sheikh emir sultan ayatollah detective inspector constable superintendent sheriff",
    "deputy assistant commissioner councillor councilor councilmember  delegate speaker",
    "leader whip nominee candidate strategist adviser advisor counsel counselor aide economist scientist",
    "founder co-founder owner head principal dean chairwoman treasurer press foreign prime interior finance",
    "defense defence state treasury health justice republican democrat democratic republicans democrats",
    "conservative labour liberal independent former  president-elect first second ",
    "police fire hon. saint st. star singer rapper comedian host anchor columnist historian journalist",
)  # fmt: skip
# Titles that only people have.
HONORIFICS = TITLES_HE | TITLES_SHE | _words(
    "dr. dr prof. professor president minister senator sen. rep. gov. governor mayor judge gen. general col.",
    "colonel capt. captain sgt. officer rev. reverend pope secretary coach chancellor premier",
)  # fmt: skip
BODIES = _words(
    "university college institute institution times post journal news house party committee department",
    "ministry agency council court bank company corp. corp inc. inc group association foundation center",
    "centre church union office bureau board commission congress senate parliament administration campaign",
    "school hospital city county street avenue states kingdom nations press service services team club league",
    "authority organization organisation federation society fund trust force police army navy government",
    "network report magazine caucus conference act award awards day war street tower island river north south",
    "east west hill court",
)
NO_NAMES = TITLES | FUNCTION | DAYS
PARTICLES = _words("de la von van der den di da du bin al el ibn dos le ben del della st. y e")
INSIDE = _words("of for and")  # stand inside the names of bodies
SUFFIXES = _words("jr. sr. jr sr ii iii iv")

# The commonest given names of English-speaking countries: they only ever speak against a pronoun.
MEN = _words(
    "james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony",
    "mark donald steven paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan",
    "jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory frank",
    "alexander raymond patrick jack dennis jerry tyler aaron jose adam nathan henry douglas zachary peter kyle",
    "walter ethan jeremy harold keith christian roger noah gerald carl terry sean austin arthur lawrence jesse",
    "dylan bryan joe jordan billy bruce albert willie gabriel logan alan juan wayne roy ralph randy eugene",
    "vincent russell elijah louis bobby philip johnny bill jim tim mike steve tom bob dan ben chris matt jeff",
    "greg  vladimir ivan mohammed muhammad ahmed ali carlos luis jorge pedro antonio simon ian graham neil",
    "stuart martin oliver harry liam luke josh max leo oscar alex boris emmanuel xavier igor sergei dmitry yuri",
    "ted fred ray jimmy tony nick rick ken ron don doug phil rob sam     ",
)
WOMEN = _words(
    "mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra",
    "ashley kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura",
    "cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine",
    "debra rachel carolyn janet catherine maria heather diane ruth julie olivia joyce virginia victoria kelly",
    "lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara",
    "madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber doris marilyn",
    "danielle beverly isabella theresa diana natalie brittany charlotte marie kayla alexis lori  anne",
    "jane kate katie liz beth sue jill claire fiona zoe lucy ella chloe amelia eva elena olga svetlana natasha",
    "fatima aisha leila rosa carmen ana lucia       susie debbie wendy",
)

GIVEN = MEN | WOMEN
GIVEN_OR_MR = GIVEN | {"mr.", "mrs.", "ms.", "mr", "mrs", "ms"}

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
SAYS = frozenset(_SAID) | {"say"}  # need no "that" before what was said
NAMES_IT = frozenset(_NAMED + _NAMING)  # stand before a name for something: called it “a mess”
GOING = frozenset(_SAYING + _REPORTING + _NAMING)  # "adding": whose subject stands earlier
CUES = SAYS | GOING | frozenset(_REPORTED + _NAMED)
# "claims", "states": as often things, so that only a name or a pronoun speaks with them.
NOUNS = frozenset(form for form in _REPORTED + _NAMED if form.endswith("s"))
TIMES = _words("week month year day morning afternoon evening night weekend summer spring fall winter time")
TELLING = CUES | frozenset("according : — – ― -".split())
TELLS = frozenset("told tells telling asked asks asking".split())  # are followed by who was told
