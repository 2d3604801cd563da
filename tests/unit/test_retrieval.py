"""Two rankings become one whose order depends on nothing but the question."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.local.generation import LocalGeneration
from indexer.models import Article, Filters, Passage, Scores, TokenVectors
from indexer.passages import encoded_text
from indexer.words import occurrences, query_terms
from service import retrieval
from service.retrieval import (
    Fused,
    GroupBy,
    Hit,
    Mode,
    Ranking,
    Rescoring,
    SearchQuery,
    fuse,
    prefer,
    rescore,
    search,
)

QUESTIONS = [
    "What will the bridge cost?",
    "storm flood Saltmarsh",
    "military cooperation between Russia and China",
    "the",
    "zeppelin",
    "Lanterns",
]

# Fewer than any scaled depth that is tried, as in the settings.
RESCORED = 5


def ranking(rows: Sequence[int], scores: Sequence[float]) -> Ranking:
    return np.array(rows, np.int64), np.array(sorted(scores, reverse=True), np.float32)


@st.composite
def rankings(
    draw: st.DrawFn, scores: st.SearchStrategy[float], min_size: int = 0, max_size: int = 30
) -> Ranking:
    rows = draw(st.lists(st.integers(0, 60), unique=True, min_size=min_size, max_size=max_size))
    return ranking(rows, draw(st.lists(scores, min_size=len(rows), max_size=len(rows))))


SCORES = st.floats(-1, 50, width=32)


def raw_score(ranking: Ranking, row: int) -> float | None:
    rows, scores = ranking
    at = np.flatnonzero(rows == row)
    return float(scores[at[0]]) if len(at) else None


@given(rankings(SCORES), rankings(SCORES))
def test_fusion_keeps_every_passage_once(dense: Ranking, lexical: Ranking) -> None:
    fused = fuse(dense, lexical)
    rows = [one.row for one in fused]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(dense[0].tolist()) | set(lexical[0].tolist())
    for one in fused:
        assert one.dense == raw_score(dense, one.row)
        assert one.lexical == raw_score(lexical, one.row)


@given(rankings(SCORES), rankings(SCORES))
def test_fused_scores_fall_and_stay_within_bounds(dense: Ranking, lexical: Ranking) -> None:
    scores = [one.score for one in fuse(dense, lexical)]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@given(rankings(SCORES, min_size=1))
def test_one_ranking_alone_keeps_its_order(alone: Ranking) -> None:
    nothing = ranking([], [])
    assert [one.row for one in fuse(alone, nothing)] == alone[0].tolist()
    assert [one.row for one in fuse(nothing, alone)] == alone[0].tolist()
    assert fuse(alone, nothing)[0].score == 1


@given(rankings(SCORES, min_size=1), rankings(SCORES, min_size=1))
def test_what_is_first_in_both_is_first(dense: Ranking, lexical: Ranking) -> None:
    row = dense[0][0]
    others = lexical[0][lexical[0] != row]
    rows = np.concatenate([[row], others])[: len(lexical[0])]
    fused = fuse(dense, (rows, lexical[1][: len(rows)]))
    best = {one.row for one in fused if one.score == fused[0].score}
    assert row in best
    assert fused[0].score == 1


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(5, 40),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([1, 5, 40]),
)
def test_reading_deeper_reorders_nothing(
    seed: int, scaled: int, more: int, still_more: int, apart: int
) -> None:
    """Ties included, even where every score within the scaled depth is the same."""
    random = np.random.default_rng(seed)

    def whole() -> Ranking:
        rows = random.permutation(150)[: random.integers(1, 150)]
        return rows, np.sort(random.integers(0, apart * 10, len(rows)).astype(np.float32))[::-1]

    def top(whole: Ranking, depth: int) -> Ranking:
        return whole[0][:depth], whole[1][:depth]

    dense, lexical = whole(), whole()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "_SCALED_DEPTH", scaled)
        first, second = (
            fuse(top(dense, depth), top(lexical, depth))
            for depth in (scaled + more, scaled + more + still_more)
        )
    assert [(one.row, one.score) for one in second[: len(first)]] == [(one.row, one.score) for one in first]


def found(
    generation: LocalGeneration,
    text: str,
    limit: int,
    group_by: GroupBy = "passage",
    *,
    collapse: bool = True,
) -> list[Hit]:
    query = SearchQuery(
        text, limit=limit, group_by=group_by, collapse=collapse, rescoring=Rescoring(RESCORED)
    )
    return search(generation, query).hits


@pytest.mark.parametrize("group_by", ["article", "passage"])
@pytest.mark.parametrize("question", QUESTIONS[:4])
@pytest.mark.parametrize(("scaled", "collapse"), [(8, True), (8, False), (100, True)])
def test_pages_make_one_long_list(
    generation: LocalGeneration,
    question: str,
    group_by: GroupBy,
    scaled: int,
    collapse: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrieval, "_SCALED_DEPTH", scaled)
    whole = found(generation, question, 1000, group_by, collapse=collapse)
    pages: list[Hit] = []
    more = True
    while more:
        query = SearchQuery(
            question,
            limit=7,
            offset=len(pages),
            group_by=group_by,
            collapse=collapse,
            rescoring=Rescoring(RESCORED),
        )
        page = search(generation, query)
        assert page.hits
        pages += page.hits
        more = page.more
    assert [hit.passage.id for hit in pages] == [hit.passage.id for hit in whole]
    assert [hit.score for hit in pages] == pytest.approx([hit.score for hit in whole], abs=1e-5)


def test_a_list_read_to_its_end_holds_everything_once(generation: LocalGeneration) -> None:
    passages = found(generation, QUESTIONS[0], 1000, collapse=False)
    articles = found(generation, QUESTIONS[0], 1000, "article", collapse=False)
    assert sorted(hit.passage.row for hit in passages) == list(range(generation.corpus.passage_count))
    assert sorted(hit.article.id for hit in articles) == sorted(
        stored.article.id for stored in generation.corpus.articles()
    )


def test_a_story_of_several_copies_stands_once_and_names_the_others(generation: LocalGeneration) -> None:
    (copies,) = generation.corpus.stories()
    alone = {stored.article.id for stored in generation.corpus.articles()} - set(copies)
    hits = found(generation, QUESTIONS[1], 1000, "article")
    assert sorted(hit.article.id for hit in hits if hit.article.id not in copies) == sorted(alone)
    (story,) = [hit for hit in hits if hit.article.id in copies]
    assert {story.article.id, *(copy.id for copy in story.also_in)} == set(copies)
    assert all(not hit.also_in for hit in hits if hit is not story)


def test_a_copy_that_the_filters_exclude_does_not_stand_for_its_story(generation: LocalGeneration) -> None:
    ((_, *others),) = generation.corpus.stories()
    for name in others:
        other = generation.corpus.article(name)
        assert other is not None
        query = SearchQuery(QUESTIONS[1], limit=1000, filters=Filters(sources=(other.source or "",)))
        assert name in {hit.article.id for hit in search(generation, query).hits}


def test_an_article_stands_where_its_best_passage_does(generation: LocalGeneration) -> None:
    best: dict[str, str] = {}
    for hit in found(generation, QUESTIONS[0], 1000, collapse=False):
        best.setdefault(hit.article.id, hit.passage.id)
    articles = found(generation, QUESTIONS[0], 1000, "article", collapse=False)
    assert [hit.passage.id for hit in articles] == list(best.values())


@pytest.mark.parametrize("mode", ["hybrid", "dense"])
@pytest.mark.parametrize("group_by", ["article", "passage"])
def test_a_filtered_search_fills_its_limit_with_what_passes(
    generation: LocalGeneration, mode: Mode, group_by: GroupBy
) -> None:
    sources = {stored.article.source for stored in generation.corpus.articles()}
    for source in filter(None, sources):
        filters = Filters(sources=(source,))
        mask = generation.columns.allowed(filters)
        assert mask is not None
        rows = np.flatnonzero(mask).tolist()
        articles = {article for article, _ in generation.columns.articles_of(rows)}
        there = len(rows) if group_by == "passage" else len(articles)
        for limit in (1, there, there + 5):
            query = SearchQuery(
                QUESTIONS[2], limit=limit, mode=mode, group_by=group_by, filters=filters, collapse=False
            )
            results = search(generation, query)
            assert len(results.hits) == min(limit, there)
            assert results.more == (there > limit)
            assert {hit.article.source for hit in results.hits} == {source}


def test_sorted_by_date_the_newest_day_is_first_and_the_undated_last(generation: LocalGeneration) -> None:
    query = SearchQuery("Saltmarsh library bridge", limit=1000, sort="date")
    hits = search(generation, query).hits
    days = [hit.article.day for hit in hits]
    dated = [day for day in days if day]
    assert None in days
    assert days == [*sorted(dated, reverse=True), *[None] * (len(days) - len(dated))]


def test_moments_are_put_in_order_across_their_offsets() -> None:
    stated = ["2026-06-14T23:00:00+00:00", "2026-06-15T00:35:00+02:00", "2026-06-14T22:40:00", "2026-06-14"]
    moments = [Article("a", "Text.", "Title", published_at=one).moment for one in stated]
    assert sorted(moments, reverse=True) == [moments[0], moments[2], moments[1], moments[3]]  # type: ignore[type-var]


def test_pages_sorted_by_date_make_one_long_list(generation: LocalGeneration) -> None:
    whole = search(generation, SearchQuery("bridge", limit=1000, sort="date")).hits
    pages = [
        hit
        for offset in range(0, len(whole), 5)
        for hit in search(generation, SearchQuery("bridge", limit=5, offset=offset, sort="date")).hits
    ]
    assert [hit.passage.id for hit in pages] == [hit.passage.id for hit in whole]


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_mode_asks_the_rankings_it_names(generation: LocalGeneration, question: str) -> None:
    (asked,) = generation.encoder.encode_queries([question])
    terms = set(query_terms(question))
    for hit in search(generation, SearchQuery(question, mode="dense", limit=50)).hits:
        assert hit.lexical is None
        assert hit.dense == pytest.approx(
            float(generation.vectors.vectors(np.array([hit.passage.row]))[0] @ asked), abs=1e-3
        )
    for hit in search(generation, SearchQuery(question, mode="lexical", limit=50)).hits:
        assert hit.dense is None
        assert hit.lexical is not None
        texts = f"{hit.article.title} {hit.article.published_at} {hit.passage.text}"
        assert list(occurrences(texts, terms))
    for hit in search(generation, SearchQuery(question, limit=50)).hits:
        assert hit.dense is not None or hit.lexical is not None


def test_a_search_for_words_that_are_nowhere_finds_nothing_by_words(generation: LocalGeneration) -> None:
    results = search(generation, SearchQuery("zeppelin", mode="lexical"))
    assert results.hits == []
    assert not results.more


def test_a_page_behind_the_end_is_empty(generation: LocalGeneration) -> None:
    results = search(generation, SearchQuery("bridge", offset=10_000))
    assert results.hits == []
    assert not results.more


def test_the_seed_article_is_found_by_its_subject(generation: LocalGeneration) -> None:
    for mode in ("hybrid", "dense", "lexical"):
        hits = search(generation, SearchQuery(QUESTIONS[2], mode=mode)).hits
        assert hits[0].article.id == "000_6f77d67fd69055e2"


PREFERENCES: list[dict[str, Any]] = [
    {},
    {"newest": True},
    {"speaker": "Idony Hallam"},
    {"speaker": "Nobody Whatever"},
    {"days": ((date(2026, 1, 1), date(2026, 1, 31)),)},
    {"days": ((date(2025, 11, 9), date(2025, 11, 9)),), "newest": True, "speaker": "Brannick Sole"},
]


@given(rankings(SCORES), rankings(SCORES), st.integers(0, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_rescoring_keeps_every_passage_once_and_puts_only_the_first_in_order(
    dense: Ranking, lexical: Ranking, most: int, weight: float, seed: int
) -> None:
    fused = fuse(dense, lexical)
    asked: list[tuple[int, ...]] = []

    def late(rows: tuple[int, ...]) -> Scores:
        asked.append(rows)
        return np.random.default_rng(seed).uniform(-1, 1, len(rows)).astype(np.float32)

    rescored = rescore(fused, scores=late, most=most, weight=weight)
    assert asked in ([], [tuple(one.row for one in fused[:most])])
    assert {one.row for one in rescored[:most]} == {one.row for one in fused[:most]}
    assert rescored[most:] == fused[most:]
    assert len(rescored) == len(fused)
    scores = [one.score for one in rescored]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    before = {one.row: one for one in fused}
    for one in rescored:
        known = before[one.row]
        assert (one.dense, one.lexical, one.best_rank) == (known.dense, known.lexical, known.best_rank)


@given(rankings(SCORES, min_size=2), st.integers(0, 40), st.floats(0, 1))
def test_late_interaction_that_agrees_changes_no_order(alone: Ranking, most: int, weight: float) -> None:
    fused = fuse(alone, ranking([], []))
    agreeing = {one.row: one.score for one in fused}
    rescored = rescore(
        fused,
        scores=lambda rows: np.array([agreeing[row] for row in rows], np.float32),
        most=most,
        weight=weight,
    )
    assert [one.row for one in rescored] == [one.row for one in fused]


def test_late_interaction_lifts_what_it_prefers() -> None:
    """Of two passages almost alike, the one whose tokens meet the question comes first."""
    fused = fuse(ranking([1, 2, 3], [5, 4.9, 1]), ranking([], []))
    rescored = rescore(
        fused, scores=lambda rows: np.array([row == 2 for row in rows], np.float32), most=3, weight=0.55
    )
    assert [one.row for one in rescored] == [2, 1, 3]


def test_only_what_is_put_in_order_is_compared(
    generation: LocalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    assert generation.tokens
    late = generation.tokens.late_interaction

    def counting(question: TokenVectors, rows: Sequence[int]) -> Scores:
        compared.append(len(rows))
        return late(question, rows)

    monkeypatch.setattr(generation.tokens, "late_interaction", counting)
    for rescored, mode in ((0, "hybrid"), (7, "hybrid"), (7, "dense"), (7, "lexical")):
        search(generation, SearchQuery(QUESTIONS[0], rescoring=Rescoring(rescored), mode=cast("Mode", mode)))
    assert compared == [7]


@pytest.mark.parametrize("which", ["generation", "bare"])
def test_a_judge_puts_the_first_passages_in_its_own_order(which: str, request: pytest.FixtureRequest) -> None:
    """Here the shortest text is the best, with token vectors and without."""
    index: LocalGeneration = request.getfixturevalue(which)
    judged: list[str] = []

    def judge(question: str, texts: Sequence[str]) -> Scores:
        assert question == QUESTIONS[0]
        judged.extend(texts)
        return np.array([-len(text) for text in texts], np.float32)

    query = SearchQuery(QUESTIONS[0], limit=40, group_by="passage", collapse=False)
    as_found = search(index, replace(query, rescoring=Rescoring(0))).hits
    ordered = search(index, replace(query, rescoring=Rescoring(6, judge))).hits
    lengths = [len(encoded_text(hit.article, hit.passage.span)) for hit in ordered[:6]]
    assert lengths == sorted(lengths)
    assert len(judged) == 6
    assert {hit.passage.id for hit in ordered[:6]} == {hit.passage.id for hit in as_found[:6]}
    assert [hit.passage.id for hit in ordered[6:]] == [hit.passage.id for hit in as_found[6:]]


def test_without_the_vectors_of_tokens_search_does_without(
    generation: LocalGeneration, bare: LocalGeneration
) -> None:
    assert bare.tokens is None
    for question in QUESTIONS:
        with_none = search(bare, SearchQuery(question, limit=50)).hits
        not_asked = search(generation, SearchQuery(question, limit=50, rescoring=Rescoring(0))).hits
        assert [hit.passage.id for hit in with_none] == [hit.passage.id for hit in not_asked]
        assert [hit.score for hit in with_none] == pytest.approx([hit.score for hit in not_asked], abs=1e-3)


@pytest.mark.parametrize("preference", PREFERENCES)
@pytest.mark.parametrize("question", QUESTIONS[:4])
def test_scores_fall_and_stay_within_bounds_whatever_is_preferred(
    generation: LocalGeneration, question: str, preference: dict[str, Any]
) -> None:
    groups: list[GroupBy] = ["article", "passage"]
    for group_by in groups:
        query = SearchQuery(question, limit=1000, group_by=group_by, collapse=False, **preference)
        hits = search(generation, query).hits
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert len({hit.passage.row for hit in hits}) == len(hits)


@pytest.mark.parametrize("preference", PREFERENCES[1:])
@pytest.mark.parametrize("group_by", ["article", "passage"])
@pytest.mark.parametrize(("scaled", "rescored"), [(8, 5), (8, 0), (100, 20)])
def test_pages_make_one_long_list_whatever_is_preferred(
    generation: LocalGeneration,
    preference: dict[str, Any],
    group_by: GroupBy,
    scaled: int,
    rescored: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrieval, "_SCALED_DEPTH", scaled)
    whole = SearchQuery(
        QUESTIONS[0], limit=1000, group_by=group_by, rescoring=Rescoring(rescored), **preference
    )
    ids = [hit.passage.id for hit in search(generation, whole).hits]
    pages = [
        hit.passage.id
        for offset in range(0, len(ids), 3)
        for hit in search(generation, replace(whole, limit=3, offset=offset)).hits
    ]
    assert pages == ids


def alike(generation: LocalGeneration) -> list[Fused]:
    """Every passage, as if each were as good as the others."""
    return [Fused(row, 0.5, 1, None, None) for row in range(generation.corpus.passage_count)]


def preferred(generation: LocalGeneration, query: SearchQuery) -> list[tuple[Passage, Article]]:
    return generation.corpus.read([one.row for one in prefer(generation, alike(generation), query)])


def test_of_passages_alike_the_newest_comes_first_and_the_undated_last(generation: LocalGeneration) -> None:
    days = [article.day or date.min for _, article in preferred(generation, SearchQuery("", newest=True))]
    assert days == sorted(days, reverse=True)
    assert date.min in days


def test_of_passages_alike_those_that_were_reported_then_or_soon_after_or_speak_of_then_come_first(
    generation: LocalGeneration,
) -> None:
    first, last = date(2025, 11, 1), date(2025, 11, 9)
    found = preferred(generation, SearchQuery("", days=((first, last),)))
    mentions = generation.corpus.mentions(range(generation.corpus.passage_count))
    then = [
        bool(article.day and first <= article.day <= last + timedelta(3))
        or any(
            date.fromisoformat(one.first) <= last and first <= date.fromisoformat(one.last)
            for one in mentions.get(passage.row, [])
        )
        for passage, article in found
    ]
    assert then == sorted(then, reverse=True)
    assert 0 < sum(then) < len(then)


@pytest.mark.parametrize("speaker", ["Gabuev", "Idony Hallam"])
def test_of_passages_alike_those_with_the_speakers_words_come_first(
    generation: LocalGeneration, speaker: str
) -> None:
    said = {(one.article.id, one.quotation.place.start) for one in generation.corpus.quotations(speaker)}
    speaks = [
        any(name == article.id and passage.start <= start < passage.end for name, start in said)
        for passage, article in preferred(generation, SearchQuery("", speaker=speaker))
    ]
    assert speaks == sorted(speaks, reverse=True)
    assert 0 < sum(speaks) < len(speaks)


def test_a_speaker_who_said_nothing_changes_nothing(generation: LocalGeneration) -> None:
    fused = alike(generation)
    assert prefer(generation, fused, SearchQuery("", speaker="Nobody Whatever")) == fused


def test_the_newest_is_first_among_what_speaks_of_the_question(generation: LocalGeneration) -> None:
    """A preference: what has nothing to do with the question stays behind, however new."""
    query = SearchQuery("What will the bridge across the Narrows cost?", limit=5)
    as_found, newest = (search(generation, one).hits for one in (query, replace(query, newest=True)))
    assert as_found[0].article.day
    assert newest[0].article.day
    assert newest[0].article.day > as_found[0].article.day
    assert all("bridge" in hit.article.text for hit in newest[:3])


def test_the_speakers_words_are_first(generation: LocalGeneration) -> None:
    query = SearchQuery(
        "What does Corwin Stebbe say about the bridge?", group_by="passage", speaker="Corwin Stebbe"
    )
    first = search(generation, query).hits[0]
    assert any(
        first.passage.start <= one.quotation.place.start < first.passage.end
        for one in generation.corpus.quotations("Corwin Stebbe", article_ids=[first.article.id])
    )
