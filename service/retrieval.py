"""A question to ranked passages: two searches, fused, filtered before they are ranked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from threading import Lock
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.duplicates import shingles
from indexer.errors import UsageError
from indexer.generation import Corpus, Generation
from indexer.models import EVERYTHING, Article, Encoded, Filters, Passage, Rows, Scores, Span
from indexer.passages import encoded_text, sentences
from indexer.words import occurrences, query_terms
from service.watching.tracing import stage

Mode = Literal["hybrid", "dense", "lexical"]
Sort = Literal["relevance", "date"]
GroupBy = Literal["article", "passage"]

# Scores are scaled between the first and the hundredth of each ranking, however deep it was
# read: so a hit's score, and the order, do not depend on which page is asked for.
_SCALED_DEPTH = 100
_LATE = 0.6  # the weight of late interaction against the fused score
_SUPPORTING = 20  # passages of the joint ranking that support their article
_SUPPORT = 0.05
# What it counts to be new, of the days that are asked for, to hold the words of the speaker asked for.
_NEWEST, _THEN, _SPEAKS = 0.3, 0.05, 0.2
_HALF_LIFE_DAYS = 30
_REPORTED_BY = timedelta(3)  # after which what happened is no news
_COPIED = 0.4  # of a sentence's three-word runs, for another text to say the same
_AS_GOOD = 0.8  # of the best copy's score
_WORTH_A_THREAD = 200_000  # passages, of which both rankings take a millisecond


Judge = Callable[[str, Sequence[str]], Scores]
"""How well each of some texts answers a question: a cross-encoder."""


@dataclass(frozen=True, slots=True)
class Rescoring:
    """How many passages of the joint ranking are put in order once more, none with 0: by late interaction
    and their score, or by a judge alone where there is one."""

    most: int = 20
    judge: Judge | None = None


DEFAULT_RESCORING = Rescoring()


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for and how much of it; `offset` counts results, not passages. With `collapse`
    the copies of one story are one result.

    Passages that speak of one of the `days`, first to last, are found as if the text named it, but where
    words alone are searched. With `newest` newer articles are preferred, with a `speaker` those words.
    `aside` are the places of the text that these preferences or the filters speak for.
    """

    text: str
    limit: int = 10
    offset: int = 0
    mode: Mode = "hybrid"
    filters: Filters = EVERYTHING
    sort: Sort = "relevance"
    group_by: GroupBy = "article"
    collapse: bool = True
    days: tuple[tuple[date, date], ...] = ()
    newest: bool = False
    speaker: str | None = None
    aside: tuple[Span, ...] = ()
    rescoring: Rescoring = DEFAULT_RESCORING

    @property
    def matter(self) -> str:
        """The text without what is aside: what articles should speak of. Where no word is left, all of it."""
        kept = list(self.text)
        for span in self.aside:
            kept[slice(*span)] = " " * (span.end - span.start)
        matter = " ".join("".join(kept).split())
        return matter if any(map(str.isalnum, matter)) else self.text


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: `score` orders it, in [0, 1]. `dense` is its cosine, `lexical` its BM25;
    None where it is not among the best of that ranking. `also_in` are the other copies of its
    article's story, the most trusted first."""

    passage: Passage
    article: Article
    score: float
    dense: float | None
    lexical: float | None
    also_in: tuple[Article, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    hits: list[Hit]
    more: bool
    """Whether another page would hold something."""


Ranking = tuple[Rows, Scores]
_NEVER = datetime.min.replace(tzinfo=UTC)
_NOTHING: Ranking = (np.empty(0, np.int64), np.empty(0, np.float32))


class Fused(NamedTuple):
    """A passage of the joint ranking; `best_rank` is the better of its two ranks, from 1. A question makes
    hundreds of them."""

    row: int
    score: float
    best_rank: int
    dense: float | None
    lexical: float | None

    def scored(self, score: float) -> "Fused":
        """The same with another score."""
        return Fused(self.row, score, self.best_rank, self.dense, self.lexical)


def _ranked(fused: Iterable[Fused]) -> list[Fused]:
    return sorted(fused, key=lambda one: (-one.score, one.best_rank, one.row))


def search(generation: Generation, query: SearchQuery) -> Results:
    """The best passages; with `group_by="article"` the best one of each article.

    Filters hold before ranking, so that a filtered search still fills its limit. With
    `sort="date"` the best hundred of each ranking are put in order of time, newest first,
    undated last.
    """
    with _SEARCHES.one():
        return _search(generation, query)


def _search(generation: Generation, query: SearchQuery) -> Results:
    if query.mode == "lexical" and generation.fulltext.lacking:
        raise UsageError(generation.fulltext.lacking, param="mode")
    by_words = query.mode != "dense" and not generation.fulltext.lacking
    terms = query_terms(query.matter) if by_words else []
    # Where words alone are searched, passages that tell of the day in words of their own would outweigh those
    # that hold the words asked for.
    told = () if query.mode == "lexical" else query.days
    wanted = query.offset + query.limit + 1
    depth = _SCALED_DEPTH if query.sort == "date" else max(_SCALED_DEPTH, wanted)

    def by_terms(depth: int) -> Ranking:
        return generation.fulltext.search(terms, depth, query.filters, told) if terms else _NOTHING

    encoded = None
    if query.mode != "lexical":
        with stage("encode"):
            encoded = generation.encoder.encode_query(query.matter)
    rescored = _rescorer(generation, query, encoded)
    passages = generation.corpus.passage_count
    worded = _SEARCHES.half(partial(by_terms, depth), passages)
    while True:
        with stage("search"):
            dense = generation.vectors.search(encoded.vector, depth, query.filters) if encoded else _NOTHING
            lexical = worded()
            fused = fuse(dense, lexical)
        if rescored:
            with stage("rescore"):
                fused = rescored(fused)
        if query.newest or query.days or query.speaker:
            fused = prefer(generation, fused, query)
        found = _distinct(generation, fused, query)
        exhausted = max(len(dense[0]), len(lexical[0])) < depth
        if len(found) >= wanted or exhausted or query.sort == "date":
            break
        depth *= 4
        worded = _SEARCHES.half(partial(by_terms, depth), passages)
    hits = _hits(generation, found if query.sort == "date" else found[query.offset : wanted - 1])
    if query.collapse:
        hits = _first_copies(generation.corpus, hits, fused, query)
    if query.sort == "date":
        hits.sort(key=lambda hit: hit.article.moment or _NEVER, reverse=True)
        hits = hits[query.offset : wanted - 1]
    return Results(hits, more=len(found) >= wanted)


class _Searches:
    """The searches under way. Of one that is alone, half can be done in a thread beside the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._beside = ThreadPoolExecutor(
            max_workers=4, thread_name_prefix="beside"
        )  # a late one blocks none

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1

    def half(self, task: Callable[[], Ranking], passages: int) -> Callable[[], Ranking]:
        """What gives a task's result. It is begun at once where it is worth a thread and no other search is
        under way, else when it is asked for."""
        if passages < _WORTH_A_THREAD or self._count > 1:
            return task
        return self._beside.submit(task).result


_SEARCHES = _Searches()


def fuse(dense: Ranking, lexical: Ranking) -> list[Fused]:
    """Both rankings as one: the mean of their scaled scores, 0 where a ranking lacks a passage.

    Min-max scaling with equal weights beat reciprocal rank fusion on three collections. Below
    the scaled depth, where scores are 0, the better of the two ranks decides.
    """
    count = sum(1 for rows, _ in (dense, lexical) if len(rows))
    nearest, worded = _placed(dense), _placed(lexical)
    fused = []
    for row in nearest | worded:
        near, word = nearest.get(row), worded.get(row)
        score = (near[1] / count if near else 0.0) + (word[1] / count if word else 0.0)
        rank = min(place[2] for place in (near, word) if place)
        fused.append(Fused(row, score, rank, near and near[0], word and word[0]))
    return _ranked(fused)


def _placed(ranking: Ranking) -> dict[int, tuple[float, float, int]]:
    """By row the score as it is, the scaled one, and the rank, from 1."""
    rows, scores = ranking
    if not len(rows):
        return {}
    places = zip(scores.tolist(), _scaled(scores), range(1, len(rows) + 1), strict=True)
    return dict(zip(rows.tolist(), places, strict=True))


def _rescorer(
    generation: Generation, query: SearchQuery, encoded: Encoded | None
) -> Callable[[list[Fused]], list[Fused]] | None:
    """What puts the first passages in order; None where nothing does.

    A passage's vector is one for all that it says; its tokens' vectors tell whether it has what the
    question asks for.
    """
    if query.mode != "hybrid" or not query.rescoring.most:
        return None
    # Read deeper, the ranking begins with the same passages: they are judged once.
    if judge := query.rescoring.judge:

        @cache
        def judged(rows: tuple[int, ...]) -> Scores:
            read = generation.corpus.read(rows)
            return judge(query.text, [encoded_text(article, passage.span) for passage, article in read])

        return partial(rescore, scores=judged, most=query.rescoring.most, weight=1.0)
    if generation.tokens and encoded:
        late = cache(partial(generation.tokens.late_interaction, encoded.tokens))
        return partial(rescore, scores=late, most=query.rescoring.most, weight=_LATE)
    return None


def rescore(
    fused: list[Fused], *, scores: Callable[[tuple[int, ...]], Scores], most: int, weight: float
) -> list[Fused]:
    """The ranking with its first `most` passages in the order of other scores of theirs, which count
    `weight` against the fused ones.

    The scores stay between those of the first and the last that are put in order, so whatever lies below
    stays below, on every page.
    """
    top = fused[:most]
    if len(top) < 2:  # noqa: PLR2004
        return fused
    other = _between(scores(tuple(one.row for one in top)))
    before = _between(np.array([one.score for one in top]))
    joint = weight * other + (1 - weight) * before
    floor, height = top[-1].score, top[0].score - top[-1].score
    ordered = [one.scored(floor + height * score) for one, score in zip(top, joint.tolist(), strict=True)]
    return _ranked(ordered) + fused[most:]


def prefer(generation: Generation, fused: list[Fused], query: SearchQuery) -> list[Fused]:
    """The ranking with what the question prefers: the newest, its days, the words of its speaker."""
    rows = [one.row for one in fused[:_SCALED_DEPTH]]  # those below are others on another page
    days = generation.columns.days_of(rows)
    speaks = _speaks(generation, query.speaker, rows) if query.speaker else set()
    told = _tells(generation, query.days, rows) if query.days else set()
    latest = max(days.values(), default=date.min)
    weight = (_NEWEST if query.newest else _THEN if query.days else 0.0) + (_SPEAKS if speaks else 0.0)

    def bonus(row: int) -> float:
        day = days.get(row)
        earned = _SPEAKS * (row in speaks)
        if day and query.newest:
            # An exponential prior (Li and Croft, CIKM 2003) that counts from the newest article found,
            # whatever the day is today: an archive has its own.
            earned += _NEWEST * 0.5 ** (max((latest - day).days, 0) / _HALF_LIFE_DAYS)
        elif row in told or (day and any(first <= day <= last + _REPORTED_BY for first, last in query.days)):
            earned += _THEN
        return earned

    return _ranked(one.scored((one.score + bonus(one.row)) / (1 + weight)) for one in fused)


def _tells(generation: Generation, days: Sequence[tuple[date, date]], rows: list[int]) -> set[int]:
    """The passages that speak of one of the days."""
    spans = [(first.isoformat(), last.isoformat()) for first, last in days]
    return {
        row
        for row, found in generation.corpus.mentions(rows).items()
        if any(one.first <= last and first <= one.last for one in found for first, last in spans)
    }


def _speaks(generation: Generation, speaker: str, rows: list[int]) -> set[int]:
    """The passages that hold words of a speaker's."""
    read = generation.corpus.read(rows)
    said: dict[str, list[int]] = {}
    for one in generation.corpus.quotations(speaker, article_ids=[article.id for _, article in read]):
        said.setdefault(one.article.id, []).append(one.quotation.place.start)
    return {
        passage.row
        for passage, article in read
        if any(passage.start <= start < passage.end for start in said.get(article.id, []))
    }


def _between(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """To [0, 1]: 1 the best, 0 the worst."""
    least, most = float(scores.min()), float(scores.max())
    return (scores.astype(np.float64) - least) / (most - least) if most > least else np.ones(len(scores))


def _scaled(scores: Scores) -> list[float]:
    """To [0, 1]: 1 the first, 0 the last within the scaled depth and all behind it."""
    within = scores[:_SCALED_DEPTH].astype(np.float64)
    top, floor = within[0], within[-1]
    scaled = (within - floor) / (top - floor) if top > floor else np.ones_like(within)
    return [*scaled.tolist(), *[0.0] * (len(scores) - len(within))]


def _distinct(generation: Generation, fused: list[Fused], query: SearchQuery) -> list[Fused]:
    """The best passage for each result: of each article, of each story, or all that are not copies."""
    belongs = generation.columns.articles_of([one.row for one in fused])
    if query.group_by == "article":
        best: dict[tuple[int | None, int], Fused] = {}
        for one, (article, story) in _supported(fused, belongs):
            best.setdefault((None, article) if story is None or not query.collapse else (story, 0), one)
        return list(best.values())
    if not query.collapse:
        return fused
    copied = [one.row for one, (_, story) in zip(fused, belongs, strict=True) if story is not None]
    texts = {
        row: passage.text for row, (passage, _) in zip(copied, generation.corpus.read(copied), strict=True)
    }
    kept: list[Fused] = []
    said: dict[int, list[tuple[int, str]]] = {}
    for one, (article, story) in zip(fused, belongs, strict=True):
        if story is not None:
            before = said.setdefault(story, [])
            text = texts[one.row]
            if any(article != other and _says(other_text, text) for other, other_text in before):
                continue
            before.append((article, text))
        kept.append(one)
    return kept


def _supported(
    fused: list[Fused], belongs: list[tuple[int, int | None]]
) -> list[tuple[Fused, tuple[int, int | None]]]:
    """The ranking where an article counts a little more when a second passage of it is among the best:
    it is about the question, not only its one passage."""
    floor = fused[:_SUPPORTING][-1].score if fused else 0.0
    best: dict[int, int] = {}
    support: dict[int, float] = {}
    for place, (one, (article, _)) in enumerate(zip(fused, belongs, strict=True)):
        if best.setdefault(article, place) != place:
            support.setdefault(best[article], max(0.0, one.score - floor))
    counted = [
        (one.scored((one.score + _SUPPORT * support.get(place, 0.0)) / (1 + _SUPPORT)), belonging)
        for place, (one, belonging) in enumerate(zip(fused, belongs, strict=True))
    ]
    return sorted(counted, key=lambda each: (-each[0].score, each[0].best_rank, each[0].row))


def _says(text: str, passage: str) -> bool:
    """Whether a text holds every sentence of a passage, but for an edited word here and there: a copy may
    well have what the others left out."""
    held = shingles(text)
    wanted = (shingles(passage[span.start : span.end]) for span in sentences(passage))
    return all(len(runs & held) >= _COPIED * len(runs) for runs in wanted)


def _hits(generation: Generation, found: list[Fused]) -> list[Hit]:
    corpus = generation.corpus
    rows = [one.row for one in found]
    return [
        Hit(
            passage,
            article,
            one.score,
            one.dense,
            one.lexical,
            () if story is None else also_in(corpus, article),
        )
        for one, (passage, article), (_, story) in zip(
            found, corpus.read(rows), generation.columns.articles_of(rows), strict=True
        )
    ]


def overlap(weights: dict[str, float], text: str) -> float:
    """The share in [0, 1] of the weights whose terms the text holds; 0 where there are none."""
    total = sum(weights.values())
    held = {term for term, _ in occurrences(text, set(weights))}
    return sum(weights[term] for term in held) / total if total else 0.0


def also_in(corpus: Corpus, article: Article) -> tuple[Article, ...]:
    """The other copies of an article's story, the most trusted first."""
    return tuple(copy for copy in corpus.copies(article.id) if copy.id != article.id)


def _first_copies(corpus: Corpus, hits: list[Hit], fused: list[Fused], query: SearchQuery) -> list[Hit]:
    """The same finds in the first copies of their stories, each once."""
    ranked = {one.row: one for one in fused} if query.group_by == "article" else {}
    found: dict[int, Hit] = {}
    for hit in hits:
        moved = _first_copy(corpus, hit, ranked, query.filters)
        found.setdefault(moved.passage.row, moved)
    return list(found.values())


def _first_copy(corpus: Corpus, hit: Hit, ranked: dict[int, Fused], filters: Filters) -> Hit:
    """A find in the first copy of its story that passes the filters and holds all of it, or answers about
    as well: usually that of the agency it came from, not of the paper whose cut happens to score best."""
    for copy in corpus.copies(hit.article.id) if hit.also_in else []:
        if copy.id == hit.article.id:
            break
        if not filters.allow(copy):
            continue
        passages = corpus.passages(copy.id)
        wanted = shingles(hit.passage.text)
        passage = max(passages, key=lambda one: len(wanted & shingles(one.text)))
        found = ranked.get(passage.row)
        if _says(copy.text, hit.passage.text) or (found and found.score >= _AS_GOOD * hit.score):
            dense, lexical = (found.dense, found.lexical) if found else (None, None)
            return Hit(passage, copy, hit.score, dense, lexical, also_in(corpus, copy))
    return hit
