"""Who said what: the quotations of a collection by speaker, topic and time, each proven."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice

import numpy as np

from indexer.errors import UsageError
from indexer.generation import Corpus, Generation, Named, Quoted
from indexer.models import EVERYTHING, Article, Filters, Passage, Span
from indexer.passages import encoded_text, sentences_around
from indexer.quotes import Quotation, asked_for, folded, is_body, is_description, one_person
from indexer.words import content_terms
from service.evidence import Quote, holder
from service.retrieval import SearchQuery, overlap, search

_PASSAGES = 40  # whose quotations are weighed for a topic
_MOST_WEIGHED = 100  # quotations, each of which has its sentence encoded


@dataclass(frozen=True, slots=True)
class QuotesQuery:
    """Whose words, on what, from when. Raises UsageError where neither a speaker nor a topic is given."""

    speaker: str | None = None
    topic: str | None = None
    filters: Filters = EVERYTHING
    limit: int = 10
    offset: int = 0

    def __post_init__(self) -> None:
        if self.speaker is None and self.topic is None:
            raise UsageError("speaker: say who, or with q on what", param="speaker")


@dataclass(frozen=True, slots=True)
class QuoteHit:
    """A proven quotation; `context` are the sentences that it stands in. With a topic `score` orders the
    hits, in [0, 1], else it is None."""

    article: Article
    quotation: Quotation
    quote: Quote
    context: Span
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Quotes:
    hits: list[QuoteHit]
    more: bool
    """Whether another page would hold something."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody who is quoted. `name` is the full form of the name that is written most, `asked` what a
    `QuotesQuery` finds all its forms by, and `quotes` how many it then finds: words that several copies print
    count once. `first` and `last` are days of publication, ISO 8601, None where no article is dated."""

    name: str
    asked: str
    quotes: int
    direct: int
    first: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Speakers:
    found: list[Speaker]
    total: int
    """How many people there are, those that are not shown too."""


def quotes(generation: Generation, query: QuotesQuery) -> Quotes:
    """The quotations of a speaker, newest first; with a topic those that speak of it most, best first.

    What several copies of a story quote comes once, from the newest. An unknown speaker said nothing.
    """
    found: Iterable[QuoteHit]
    if query.topic is None:
        quoted = generation.corpus.quotations(query.speaker, filters=query.filters)
        found = (QuoteHit(one.article, one.quotation, *_placed(one)) for one in _distinct(quoted))
    else:
        found = _ranked(generation, query, query.topic)
    proven = (hit for hit in found if holder(generation.corpus, hit.quote))
    hits = list(islice(proven, query.offset, query.offset + query.limit + 1))
    shown = [_in_passage(generation.corpus, hit) for hit in hits[: query.limit]]
    return Quotes(shown, more=len(hits) > query.limit)


def most_quoted(corpus: Corpus, *, part: str = "", limit: int = 20) -> Speakers:
    """Who is quoted most, the most quoted first; with `part` those whose name has that in it.

    People and bodies by name: "the mayor" may be somebody else in each article, and so may "Hallam", where
    several people of this surname are quoted.
    """
    written: dict[str, list[Named]] = {}
    for one in corpus.speakers():
        written.setdefault(one.called.alone, []).append(one)
    wanted = _folded_name(part)
    people = [
        (_most(written, asked), name, asked)
        for forms in chain.from_iterable(map(_people, written.values()))
        if any(wanted in _folded_name(form.name) for form in forms)
        for name, asked in [_named(forms)]
    ]
    found: list[Speaker] = []
    for most, name, asked in sorted(people, key=lambda one: (-one[0], one[1])):
        # Whoever cannot have more than the last of those found need not be counted.
        if len(found) >= limit and found[limit - 1].quotes >= most:
            break
        found.append(_counted(corpus, name, asked))
        found.sort(key=lambda one: (-one.quotes, one.name))
    return Speakers(found[:limit], total=len(people))


def said_by(corpus: Corpus, speaker: str, article_ids: Sequence[str]) -> dict[str, list[Quotation]]:
    """A speaker's words in some articles, by article, in order of place; those without are left out."""
    said: dict[str, list[Quotation]] = {}
    for one in corpus.quotations(speaker, article_ids=article_ids):
        said.setdefault(one.article.id, []).append(one.quotation)
    return said


def _people(written: Sequence[Named]) -> list[list[Named]]:
    """Of those who are called the same alone, the ways of writing each one's name."""
    # "Officials", where "officials" stands too, only begins a sentence.
    small = {one.called for one in written if is_description(one.name)}
    alone: list[Named] = []
    people: dict[str, list[Named]] = {}
    for one in written:
        words = one.called.words
        if one.called in small:
            continue
        if words[1:]:
            people.setdefault(" ".join(words) if is_body(one.name) else one_person(words), []).append(one)
        else:
            alone.append(one)
    if not people:
        return [alone] if alone else []
    first, *others = people.values()
    return [first, *others] if others else [[*first, *alone]]


def _named(forms: Sequence[Named]) -> tuple[str, str]:
    """How somebody is shown, and asked for: the full name that is written most, and what it shares with all
    other forms."""
    name = max(forms, key=lambda one: (len(one.called.words) > 1, one.quotations, one.name)).name
    shared = set(forms[0].called.words).intersection(*(one.called.words for one in forms))
    return name, " ".join(
        word for word in name.split() if shared.intersection(*(one.words for one in asked_for(word)))
    )


def _most(written: Mapping[str, Sequence[Named]], asked: str) -> int:
    """How many quotations there are at most of whom one asks for."""
    known = {
        (one.called, one.name): one.quotations
        for who in asked_for(asked)
        for one in written.get(who.alone, [])
        if who.fits(one.called)
    }
    return sum(known.values())


def _counted(corpus: Corpus, name: str, asked: str) -> Speaker:
    said = [
        (one.quotation.direct, (one.article.published_at or "")[:10])
        for one in _distinct(corpus.quotations(asked))
    ]
    days = sorted(day for _, day in said if day)
    return Speaker(
        name,
        asked,
        len(said),
        sum(direct for direct, _ in said),
        *((days[0], days[-1]) if days else (None, None)),
    )


def _folded_name(name: str) -> str:
    return " ".join(map(folded, name.split()))


def _ranked(generation: Generation, query: QuotesQuery, topic: str) -> list[QuoteHit]:
    """Quotations by what their sentences have of the topic: cosine and words, and their passages' words."""
    (asked,) = generation.encoder.encode_queries([topic])
    near = _of_speaker(generation, query, asked) if query.speaker else _of_topic(generation, query, topic)
    chosen = list(islice(_distinct(one for one, _ in near), _MOST_WEIGHED))
    around = {(one.article.id, one.quotation.place): passage for one, passage in near}
    if not chosen:
        return []
    hits = [QuoteHit(one.article, one.quotation, *_placed(one)) for one in chosen]
    cosines = (
        generation.encoder.encode_passages([encoded_text(hit.article, hit.context) for hit in hits]) @ asked
    )
    weights = {term: generation.fulltext.rarity(term) for term in content_terms(topic)}
    scored = []
    for hit, cosine in zip(hits, cosines.tolist(), strict=True):
        passage = around[hit.article.id, hit.quotation.place]
        own = overlap(weights, hit.article.text[slice(*hit.context)])
        whole = overlap(weights, encoded_text(hit.article, passage.span))
        # The weights of answering, without its share for the passage's rank.
        scored.append(replace(hit, score=max(0.0, 0.4 * cosine + 0.3 * own + 0.3 * whole)))
    return sorted(scored, key=lambda hit: -(hit.score or 0.0))


def _of_topic(generation: Generation, query: QuotesQuery, topic: str) -> list[tuple[Quoted, Passage]]:
    """What the best passages for a topic quote, the best passage first."""
    hits = search(
        generation,
        SearchQuery(topic, limit=_PASSAGES, filters=query.filters, group_by="passage", collapse=False),
    ).hits
    quoted: dict[str, list[Quoted]] = {}
    for one in generation.corpus.quotations(article_ids=[hit.article.id for hit in hits]):
        quoted.setdefault(one.article.id, []).append(one)
    return [
        (one, hit.passage)
        for hit in hits
        for one in quoted.get(hit.article.id, [])
        if _begins_in(one, hit.passage)
    ]


def _of_speaker(
    generation: Generation, query: QuotesQuery, asked: np.ndarray
) -> list[tuple[Quoted, Passage]]:
    """What a speaker says, that of the passages nearest to the topic first."""
    found = [
        (one, passage)
        for article_id, said in groupby(
            generation.corpus.quotations(query.speaker, filters=query.filters), lambda one: one.article.id
        )
        for passages in [generation.corpus.passages(article_id)]
        for one in said
        for passage in passages
        if _begins_in(one, passage)
    ]
    rows = np.array([passage.row for _, passage in found], dtype=np.int64)
    cosines = generation.vectors.vectors(rows) @ asked if len(rows) else np.empty(0)
    return [found[at] for at in np.argsort(-cosines, kind="stable").tolist()]


def _begins_in(one: Quoted, passage: Passage) -> bool:
    return passage.start <= one.quotation.place.start < passage.end


def _distinct(quoted: Iterable[Quoted]) -> Iterator[Quoted]:
    """Each speaker's words once, whoever prints them."""
    seen = set()
    for one in quoted:
        words = re.sub(r"\W+", " ", one.article.text[slice(*one.quotation.place)]).casefold()
        if (one.quotation.speaker, words) not in seen:
            seen.add((one.quotation.speaker, words))
            yield one


def _placed(one: Quoted) -> tuple[Quote, Span]:
    """The claim that is to be proven, and the sentences around it."""
    text, place = one.article.text, one.quotation.place
    quote = Quote(one.article.id, "", place, text[slice(*place)])
    return quote, sentences_around(text, place, one.article.language)


def _in_passage(corpus: Corpus, hit: QuoteHit) -> QuoteHit:
    """The hit with the id of the passage in which it begins."""
    for passage in corpus.passages(hit.article.id):
        if passage.start <= hit.quotation.place.start < passage.end:
            return replace(hit, quote=replace(hit.quote, passage_id=passage.id))
    return hit
