"""The words of a text as any index knows them: folded, stemmed; and days as words."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from indexer.models import Span

_LANGUAGE = "english"
_LONGEST_WORD = 40  # bytes; longer "words" are addresses and noise
_MOST_TERMS = 256  # of one question; the first ones count
_SPELT_OUT = 14  # days of a mention that is indexed day by day
_MOST_MONTHS = 24  # of one mention

# Words that make a question a question and say nothing of its subject; the verbs of opinion too,
# for whoever is asked about rarely uses the asker's verb.
_FUNCTION_WORDS = """
    what who whom whose when where which why how do does did done doing is are was were be been being am
    has have had having can could will would shall should may might must about after again all also any
    because before between both during each few from further he her hers him his i its itself just me more
    most my now of off on once only other our out over own same she so some such than that their theirs
    them then there these they this those through too under until up very we with you your a an and as at
    but by for if in into it no not or s t the to much many
    say says said tell tells told think thinks thought believe believes feel feels expect expects
    opinion view views
""".split()


def analyzer(*, function_words: bool = True) -> TextAnalyzer:
    """What cuts a text into words."""
    builder = (
        TextAnalyzerBuilder(Tokenizer.simple())
        .filter(Filter.remove_long(_LONGEST_WORD))
        .filter(Filter.lowercase())
        .filter(Filter.ascii_fold())
    )
    if not function_words:
        builder = builder.filter(Filter.custom_stopword(_FUNCTION_WORDS))
    return builder.filter(Filter.stemmer(_LANGUAGE)).build()


_every_word = cache(analyzer)


@cache
def _content_words() -> TextAnalyzer:
    return analyzer(function_words=False)


def stems(text: str) -> list[str]:
    """The words of a text, in order."""
    return list(_every_word().analyze(text))


def query_terms(text: str) -> list[str]:
    """The distinct words of a text, in order; of a very long one the first."""
    return list(dict.fromkeys(stems(text)))[:_MOST_TERMS]


def content_terms(text: str) -> list[str]:
    """Like `query_terms`, without the words that only make it a sentence or a question."""
    return list(dict.fromkeys(_content_words().analyze(text)))[:_MOST_TERMS]


def occurrences(text: str, wanted: set[str]) -> Iterator[tuple[str, Span]]:
    """Every place where one of the wanted words stands in a text, whatever its form."""
    for token in _every_word().pre_tokenize(text).tokens:
        if token.text in wanted:
            yield token.text, Span(token.char_offset_from, token.char_offset_to)


def days_told(first: date, last: date) -> Iterator[str]:
    """The days, months and years that a stretch of days touches, each as the index knows it. A stretch
    over months is not spelt out in days: it says nothing of any one of them."""
    if (last - first).days < _SPELT_OUT:
        for days in range((last - first).days + 1):
            yield (first + timedelta(days)).isoformat()
    yield from _months(first, last)
    yield from {f"{first.year:04d}", f"{last.year:04d}"}


def days_asked(first: date, last: date) -> Iterator[str]:
    """What a passage has to speak of, for a question about these days: the coarsest words for them."""
    whole_months = first.day == 1 and (last == date.max or (last + timedelta(1)).day == 1)
    if whole_months and (first.month, last.month) == (1, 12) and first.year == last.year:
        yield f"{first.year:04d}"
    elif whole_months:
        yield from _months(first, last)
    else:
        yield from (when for when in days_told(first, last) if len(when) == len("2023-10-16"))


def _months(first: date, last: date) -> Iterator[str]:
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    for month in months[:_MOST_MONTHS]:
        yield f"{month // 12:04d}-{month % 12 + 1:02d}"
