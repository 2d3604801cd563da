"""Search by meaning and by words: filters hold first, lists are full, the best comes first."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.models import EVERYTHING, Filters, Rows, Scores
from indexer.passages import encoded_text
from indexer.words import days_asked, days_told, query_terms, stems
from tests.contract.collection import NAMES
from tests.contract.conftest import Kept

QUESTIONS = [
    "What will the bridge cost?",
    "How many boats are at the quay?",
    "storm roof swimming hall",
    "crane",
]
UNKNOWN = ["Nobody's Paper", '" or source != "', "%", "\\", "'"]
AFTER, BEFORE = date(2020, 1, 1), date(2027, 1, 1)

unhurried = settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def some_filters(draw: st.DrawFn) -> Filters:
    """Names that are there are put in by the test, by their places."""
    days = sorted(draw(st.lists(st.dates(AFTER, BEFORE), min_size=2, max_size=2)))
    which = draw(st.integers(0, 3))
    return Filters(days[0] if which & 1 else None, days[1] if which & 2 else None)


def allowed(kept: Kept, filters: Filters) -> set[int]:
    return {passage.row for passage, article in kept.passages if filters.allow(article)}


def falls(rows: Rows, scores: Scores, *, ties: bool = True) -> bool:
    """Whether scores fall, and of equal ones the lower row comes first."""
    found = list(zip(scores.tolist(), rows.tolist(), strict=True))
    return all(
        one > other or (one == other and (row < other_row or not ties))
        for (one, row), (other, other_row) in pairwise(found)
    )


def a_day(kept: Kept, share: float) -> date:
    days = sorted(day for one in kept.articles if (day := one.day))
    return days[int(share * (len(days) - 1))]


def every_filter(kept: Kept) -> list[Filters]:
    """Each of the names that are there, days that are, and what lets nothing pass."""
    articles = kept.articles
    sources = sorted({one.source for one in articles if one.source})
    authors = sorted({one.author for one in articles if one.author})
    days = a_day(kept, 0.3), a_day(kept, 0.6)
    return [
        EVERYTHING,
        *(Filters(sources=(name,)) for name in (*sources, *UNKNOWN)),
        *(Filters(authors=(name,)) for name in (*authors, *UNKNOWN)),
        Filters(sources=(*sources[:2], *UNKNOWN), authors=tuple(authors)),
        Filters(sources=tuple(sources)),
        Filters(published_after=days[0]),
        Filters(published_before=days[1]),
        Filters(*days),
        Filters(days[0], days[0]),
        Filters(date(1900, 1, 1), date(1900, 1, 2)),
        Filters(date.min, date.max),
        Filters(*days, sources=tuple(sources[:3])),
    ]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_nearest_are_all_that_pass_the_filters_the_best_first(kept: Kept, question: str) -> None:
    vector = kept.generation.encoder.encode_query(question).vector
    for filters in every_filter(kept):
        passing = allowed(kept, filters)
        rows, scores = kept.generation.vectors.search(vector, len(kept.passages) + 10, filters)
        assert set(rows.tolist()) == passing
        assert len(rows) == len(passing)
        assert falls(rows, scores)
        if len(rows):
            np.testing.assert_allclose(scores, kept.local.vectors.vectors(rows) @ vector, atol=1e-3)
        for k in (1, 3):
            first, best = kept.generation.vectors.search(vector, k, filters)
            assert len(first) == min(k, len(passing))
            np.testing.assert_allclose(best, scores[:k], atol=1e-3)


@given(filters=some_filters(), seed=st.integers(0, 1 << 30))
@unhurried
def test_a_filtered_list_is_full_whatever_is_asked_together(kept: Kept, filters: Filters, seed: int) -> None:
    chance = random.Random(seed)
    names: list[tuple[str, ...]] = []
    for field in ("source", "author"):
        there = sorted({name for one in kept.articles if (name := getattr(one, field))})
        names.append(tuple(chance.sample([*there, *UNKNOWN], chance.randrange(4))))
    whole = Filters(filters.published_after, filters.published_before, *names)
    passing = allowed(kept, whole)
    k = chance.choice([1, 5, 100])
    vector = kept.generation.encoder.encode_query(QUESTIONS[seed % 4]).vector
    rows, scores = kept.generation.vectors.search(vector, k, whole)
    assert set(rows.tolist()) <= passing
    assert len(rows) == len(set(rows.tolist())) == min(k, len(passing))
    assert falls(rows, scores)
    assert kept.generation.columns.hold(whole) == bool(passing)
    expected, _ = kept.local.vectors.search(vector, k, whole)
    np.testing.assert_allclose(scores, kept.local.vectors.vectors(expected) @ vector, atol=1e-3)


def test_equal_vectors_come_in_the_order_of_their_rows(kept: Kept) -> None:
    if kept.name == "made":
        (one, other) = (
            kept.generation.corpus.passages(name)[0].row for name in ("twin of Echo", "twin of Harbour Post")
        )
        vector = kept.generation.vectors.vectors(np.array([other]))[0]
        rows, scores = kept.generation.vectors.search(vector, 2)
        assert rows.tolist() == [one, other]
        assert scores.tolist() == pytest.approx([1, 1], abs=1e-3)
        assert kept.generation.vectors.search(vector, 1)[0].tolist() == [one]


def test_vectors_are_those_of_the_rows_in_their_order(kept: Kept) -> None:
    rows = np.array([passage.row for passage, _ in kept.passages])
    chosen = np.concatenate([np.random.default_rng(0).permutation(rows), rows[:2]])
    found = kept.generation.vectors.vectors(chosen)
    assert found.dtype == np.float32
    assert found.shape == (len(chosen), kept.generation.encoder.facts.dimension)
    np.testing.assert_allclose(found, kept.local.vectors.vectors(chosen), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3)
    assert kept.generation.vectors.vectors(rows[:0]).shape == (0, found.shape[1])


def test_searches_side_by_side_find_what_they_find_alone(kept: Kept) -> None:
    def found(question: str) -> list[int]:
        vector = kept.generation.encoder.encode_query(question).vector
        rows: list[int] = kept.generation.vectors.search(vector, 5)[0].tolist()
        if kept.words:
            rows += kept.generation.fulltext.search(query_terms(question), 5, EVERYTHING)[0].tolist()
        return rows

    alone = [found(question) for question in QUESTIONS]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(found, QUESTIONS * 8)) == alone * 8


# Words.


def holding(kept: Kept, terms: Sequence[str], asked: Sequence[tuple[date, date]] = ()) -> set[int]:
    """The passages that hold any of the terms, or speak of the days asked for."""
    wanted = {when for first, last in asked for when in days_asked(first, last)}
    passages = kept.passages
    mentions = kept.local.corpus.mentions([passage.row for passage, _ in passages])
    told = {
        row: {
            when
            for one in found
            for when in days_told(date.fromisoformat(one.first), date.fromisoformat(one.last))
        }
        for row, found in mentions.items()
    }
    return {
        passage.row
        for passage, article in passages
        if set(terms) & set(stems(encoded_text(article, passage.span)))
        or wanted & told.get(passage.row, set())
    }


@pytest.mark.parametrize("question", [*QUESTIONS, "the", "ferry crowns daughter of the captain", "新聞 عكاظ"])
def test_words_find_all_that_hold_one_of_them_and_pass_the_best_first(worded: Kept, question: str) -> None:
    terms = query_terms(question)
    holds = holding(worded, terms)
    for filters in every_filter(worded):
        passing = holds & allowed(worded, filters)
        rows, scores = worded.generation.fulltext.search(terms, 1_000, filters)
        assert set(rows.tolist()) == passing
        assert len(rows) == len(passing)
        assert falls(rows, scores)
        assert (scores > 0).all()
        first, _ = worded.generation.fulltext.search(terms, 3, filters)
        assert first.tolist() == rows[:3].tolist()


def test_words_that_are_nowhere_find_nothing(worded: Kept) -> None:
    for terms in (["zeppelin"], [], query_terms("\" \\ ' -- %"), ["zeppelin", "qqq"], ["x" * 40]):
        rows, scores = worded.generation.fulltext.search(terms, 10, EVERYTHING)
        assert rows.tolist() == scores.tolist() == []


def test_a_rare_word_counts_more_than_a_common_one_and_often_more_than_once(worded: Kept) -> None:
    """The first passages are those that BM25 puts first, by its own formula."""
    texts = {passage.row: stems(encoded_text(article, passage.span)) for passage, article in worded.passages}
    average = sum(map(len, texts.values())) / len(texts)
    for question in worded.questions[::4]:
        terms = query_terms(question)
        idf = {}
        for term in terms:
            held = sum(term in words for words in texts.values())
            idf[term] = np.log1p((len(texts) - held + 0.5) / (held + 0.5))
        expected = {
            row: sum(
                idf[term] * words.count(term) * 2.2
                / (words.count(term) + 1.2 * (0.25 + 0.75 * len(words) / average))
                for term in terms
            )
            for row, words in texts.items()
        }  # fmt: skip
        rows, _ = worded.generation.fulltext.search(terms, 3, EVERYTHING)
        best = sorted(expected.values(), reverse=True)
        for place, row in enumerate(rows.tolist()):
            assert expected[row] == pytest.approx(best[place], rel=0.15)


def test_a_passage_that_speaks_of_the_days_asked_for_is_found(worded: Kept) -> None:
    passages = worded.passages
    mentions = worded.local.corpus.mentions([passage.row for passage, _ in passages])
    day = min(one.first for found in mentions.values() for one in found if one.first == one.last)
    first = date.fromisoformat(day)
    for asked in (
        [(first, first)],
        [(date(2025, 11, 1), date(2025, 11, 30))],
        [(date(2026, 1, 1), date(2026, 12, 31))],
        [(date(1950, 1, 3), date(1950, 1, 4)), (first, first + timedelta(3))],
    ):
        for terms in ([], ["bridg"]):
            rows, scores = worded.generation.fulltext.search(terms, 1_000, EVERYTHING, asked)
            assert set(rows.tolist()) == holding(worded, terms, asked)
            assert falls(rows, scores)
    assert holding(worded, [], [(first, first)])


def test_the_rarer_a_word_is_the_more_it_counts(kept: Kept) -> None:
    """Known where there is no ranking by words, too. What was removed may be counted for a while."""
    texts = [set(stems(encoded_text(article, passage.span))) for passage, article in kept.passages]
    words = sorted(set.union(*texts))
    terms = [*random.Random(0).sample(words, 100), "the", "bridg", "zeppelin", "", '"']
    rarity = {term: kept.generation.fulltext.rarity(term) for term in terms}
    for term, found in rarity.items():
        held = sum(term in words for words in texts)
        exact, least = (np.log1p((len(texts) - n + 0.5) / (n + 0.5)) for n in (held, held + 2))
        assert found == pytest.approx(exact, abs=1e-6) or (kept.name == "made" and least <= found <= exact)
    assert rarity["zeppelin"] == max(rarity.values())


# Columns and tokens.


def test_the_columns_tell_articles_stories_and_days_apart(kept: Kept) -> None:
    passages = kept.passages
    rows = [passage.row for passage, _ in passages]
    random.Random(2).shuffle(rows)
    of = {passage.row: article for passage, article in passages}
    story = {name: copies[0] for copies in kept.local.corpus.stories() for name in copies}
    found = dict(zip(rows, kept.generation.columns.articles_of(rows), strict=True))
    assert len({article for article, _ in found.values()}) == len({one.id for one in of.values()})
    assert len({(found[row][0], of[row].id) for row in rows}) == len({one.id for one in of.values()})
    told = {(found[row][1], story.get(of[row].id)) for row in rows}
    assert len(told) == len({one for one, _ in told}) == len({name for _, name in told})
    assert (None, None) in told
    days = kept.generation.columns.days_of(rows)
    assert days == {row: day for row in rows if (day := of[row].day)}
    assert kept.generation.columns.articles_of([]) == []
    assert kept.generation.columns.days_of([]) == {}


def test_whether_any_passes_is_known(kept: Kept) -> None:
    for filters in every_filter(kept):
        assert kept.generation.columns.hold(filters) == bool(allowed(kept, filters))
    assert {kept.generation.columns.hold(Filters(sources=(name,))) for name in NAMES} == {kept.name == "made"}


def test_the_tokens_of_passages_meet_those_of_questions_as_they_do_locally(kept: Kept) -> None:
    ours, local = kept.generation.tokens, kept.local.tokens
    assert ours
    assert local
    rows = [passage.row for passage, _ in kept.passages]
    random.Random(3).shuffle(rows)
    for question in QUESTIONS:
        asked = kept.generation.encoder.encode_query(question).tokens
        found, expected = ours.similarities(asked, rows), local.similarities(asked, rows)
        assert [one.shape for one in found] == [one.shape for one in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
        late = ours.late_interaction(asked, rows)
        np.testing.assert_allclose(late, [one.max(axis=1).mean() for one in found], atol=1e-3)
        np.testing.assert_allclose(late, local.late_interaction(asked, rows), atol=1e-3)
    assert ours.similarities(asked, []) == []
    assert ours.late_interaction(asked, []).shape == (0,)
    assert ours.late_interaction(asked[:0], rows[:2]).shape == (2,)
