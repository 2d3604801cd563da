"""A question as it is understood: which of its words become filters, which only prefer, which do nothing."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import UsageError
from indexer.local.generation import LocalGeneration
from indexer.models import EVERYTHING, Filters, Span
from service.asking import Asked, Turn, Understood, understand
from service.retrieval import SearchQuery, search

TODAY = date(2026, 6, 20)
NOTHING_THEN = "no article was published then"
GABUEV = "What does Gabuev expect from military cooperation?"
WORDS = """
    what did say happened in on since before after until between and the last week yesterday today May March
    2026 2023 5 bridge flood , ? Gabuev latest according to Hallam articles published about now
""".split()
SOME_DAY = st.dates(date(2022, 1, 1), date(2027, 12, 31))


def asked(
    generation: LocalGeneration,
    question: str,
    filters: Filters = EVERYTHING,
    *,
    today: date = TODAY,
    as_of: date | None = None,
    interpreted: bool = True,
    turns: tuple[Turn, ...] = (),
) -> Understood:
    query = SearchQuery(question, filters=filters, limit=7, offset=3)
    return understand(generation, Asked(query, tuple(turns), as_of, interpreted), today=today)


def words(found: Understood, *, ignored: bool = False) -> list[str]:
    return [found.query.text[slice(*one.span)] for one in (found.ignored if ignored else found.findings)]


@pytest.mark.parametrize(
    ("question", "after", "before"),
    [
        ("What did articles published in January 2026 say about the bridge?", "2026-01-01", "2026-01-31"),
        ("What happened since the flood?", "2025-11-09", None),
        ("What has been reported since 1 June 2026?", "2026-06-01", None),
        ("What was reported this month about the bridge?", "2026-06-01", "2026-06-30"),
    ],
)
def test_a_question_for_a_time_of_publication_is_filtered(
    generation: LocalGeneration, question: str, after: str, before: str | None
) -> None:
    found = asked(generation, question)
    assert found.query.filters == Filters(
        date.fromisoformat(after), date.fromisoformat(before) if before else None
    )
    assert not found.ignored
    assert any(one.kind == "published" for one in found.findings)
    for hit in search(generation, found.query).hits:
        assert hit.article.day
        assert hit.article.day >= date.fromisoformat(after)


def test_days_that_a_question_is_about_prefer_and_filter_nothing(generation: LocalGeneration) -> None:
    found = asked(generation, "What happened at the bridge in January 2026?")
    assert found.query.filters == EVERYTHING
    assert found.query.days == ((date(2026, 1, 1), date(2026, 1, 31)),)
    assert words(found) == ["in January 2026"]


def test_what_else_a_question_prefers_is_handed_on(generation: LocalGeneration) -> None:
    newest = asked(generation, "What is the latest on the bridge?").query
    assert (newest.newest, newest.speaker, newest.days) == (True, None, ())
    speaker = asked(generation, GABUEV).query
    assert (speaker.newest, speaker.speaker, speaker.days) == (False, "Gabuev", ())
    plain = asked(generation, "How deep is the clay?")
    assert plain == Understood(SearchQuery("How deep is the clay?", limit=7, offset=3), rewritten=False)


@pytest.mark.parametrize(
    "given_filters",
    [
        Filters(published_after=date(2025, 11, 1)),
        Filters(published_before=date(2025, 12, 31)),
        Filters(date(2025, 11, 1), date(2025, 12, 31), sources=("Harbour Courier",)),
    ],
)
def test_filters_that_are_given_win_and_the_questions_own_days_prefer(
    generation: LocalGeneration, given_filters: Filters
) -> None:
    found = asked(generation, "What was published in January 2026 about the bridge?", given_filters)
    assert found.query.filters == given_filters
    assert found.query.days == ((date(2026, 1, 1), date(2026, 1, 31)),)
    assert words(found, ignored=True) == ["in January 2026"]


def test_a_source_that_is_given_does_not_stand_against_days(generation: LocalGeneration) -> None:
    given_filters = Filters(sources=("Harbour Courier",))
    found = asked(generation, "What happened since the flood?", given_filters)
    assert found.query.filters == Filters(date(2025, 11, 9), None, ("Harbour Courier",))


@pytest.mark.parametrize("question", ["What did the council decide last week?", "What happened yesterday?"])
def test_days_without_an_article_are_ignored_and_told(generation: LocalGeneration, question: str) -> None:
    found = asked(generation, question)
    assert found.query.filters == EVERYTHING
    assert not found.findings
    (ignored,) = found.ignored
    assert ignored.kind == "published"
    assert NOTHING_THEN in ignored.meaning
    assert search(generation, found.query).hits


def test_days_on_which_a_given_source_is_silent_are_ignored(generation: LocalGeneration) -> None:
    """The flood was reported by others then."""
    question = "What was reported from 15 October 2023 to 17 October 2023?"
    assert asked(generation, question).query.filters.published_after == date(2023, 10, 15)
    found = asked(generation, question, Filters(sources=("Harbour Courier",)))
    assert found.query.filters == Filters(sources=("Harbour Courier",))
    assert found.ignored


def test_an_event_that_nothing_is_known_of_is_told_and_filters_nothing(generation: LocalGeneration) -> None:
    found = asked(generation, "What happened since the coronation?")
    assert found.query.filters == EVERYTHING
    assert [one.kind for one in found.findings] == ["not_understood"]


def test_as_of_hides_what_came_later(generation: LocalGeneration) -> None:
    day = date(2025, 12, 31)
    found = asked(generation, "What will the bridge cost?", as_of=day)
    assert found.query.filters == Filters(published_before=day)
    hits = search(generation, found.query).hits
    assert hits
    assert all(hit.article.day and hit.article.day <= day for hit in hits)


def test_as_of_is_the_today_of_the_question(generation: LocalGeneration) -> None:
    found = asked(generation, "What was reported this week?", as_of=date(2025, 11, 14))
    assert found.query.filters == Filters(date(2025, 11, 8), date(2025, 11, 14))
    assert not found.ignored


@pytest.mark.parametrize(("before", "until"), [("2025-11-30", "2025-11-30"), ("2026-05-01", "2025-12-31")])
def test_as_of_and_a_given_last_day_both_hold(generation: LocalGeneration, before: str, until: str) -> None:
    given_filters = Filters(published_before=date.fromisoformat(before))
    found = asked(generation, "bridge", given_filters, as_of=date(2025, 12, 31))
    assert found.query.filters == Filters(published_before=date.fromisoformat(until))


@pytest.mark.parametrize("question", ["What is the latest on the bridge since the flood?", GABUEV])
def test_a_question_that_is_not_interpreted_is_left_as_it_is(
    generation: LocalGeneration, question: str
) -> None:
    found = asked(generation, question, interpreted=False)
    assert found == Understood(SearchQuery(question, limit=7, offset=3), rewritten=False)


def test_what_is_not_interpreted_is_made_whole_and_bounded_all_the_same(generation: LocalGeneration) -> None:
    turns = (Turn(GABUEV),)
    found = asked(generation, "and in the Arctic?", interpreted=False, turns=turns, as_of=date(2023, 12, 31))
    assert found.rewritten
    assert found.query.text == "What does Gabuev expect from military cooperation in the Arctic?"
    assert found.query.filters == Filters(published_before=date(2023, 12, 31))
    assert (found.query.speaker, found.findings) == (None, ())


def test_a_follow_up_is_interpreted_as_it_is_made_whole(generation: LocalGeneration) -> None:
    found = asked(generation, "and in the Arctic?", turns=(Turn(GABUEV),))
    assert found.rewritten
    assert found.query.speaker == "Gabuev"
    assert words(found) == ["Gabuev"]


@settings(max_examples=120)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join),
    st.none() | SOME_DAY,
    st.none() | SOME_DAY,
    st.none() | SOME_DAY,
    SOME_DAY,
)
def test_whatever_is_asked_the_filters_can_hold_and_every_finding_stands_in_the_question(
    generation: LocalGeneration,
    question: str,
    after: date | None,
    before: date | None,
    as_of: date | None,
    today: date,
) -> None:
    last = min(filter(None, (before, as_of)), default=None)
    if after and last and after > last:
        after = None
    found = asked(generation, question, Filters(after, before), today=today, as_of=as_of)
    filters = found.query.filters
    if after:
        assert filters.published_after == after
    if as_of:
        assert filters.published_before
        assert filters.published_before <= as_of
    if after or before:
        assert filters.published_before == last
    elif filters and filters != Filters(published_before=as_of):
        mask = generation.columns.allowed(filters)
        assert mask is not None
        assert mask.any()
    for one in (*found.findings, *found.ignored):
        assert 0 <= one.span.start < one.span.end <= len(found.query.text)
    assert all(first <= final for first, final in found.query.days)


def test_a_first_day_behind_the_day_as_of_which_is_asked_is_a_mistake(generation: LocalGeneration) -> None:
    with pytest.raises(UsageError, match="as_of") as caught:
        asked(generation, "bridge", Filters(published_after=date(2026, 1, 1)), as_of=date(2025, 12, 31))
    assert caught.value.param == "as_of"


def test_days_that_count_instead_are_named_as_the_reason(generation: LocalGeneration) -> None:
    (ignored,) = asked(
        generation, "What has been reported since 1 June 2026?", Filters(date(2025, 1, 1), None)
    ).ignored
    assert ignored.meaning.endswith("other days were given, and count instead")
    assert NOTHING_THEN not in ignored.meaning


def test_a_question_of_nothing_but_time_is_searched_for_as_it_stands(generation: LocalGeneration) -> None:
    found = asked(generation, "The latest?")
    assert found.query.newest
    assert SearchQuery("latest?", aside=(Span(0, 6),)).matter == "latest?"
    assert search(generation, found.query).hits
