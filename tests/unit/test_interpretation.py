"""What a question says of time and of who speaks, as its reader means it."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.mentions import Days
from service.asking.interpretation import Interpretation, interpret

TIMES = Path(__file__).resolve().parents[1] / "quality" / "times.jsonl"
TUESDAY = date(2026, 11, 24)
FLOOD = date(2025, 11, 9), date(2025, 11, 9)
# Words that decide how a date is read, so that any order of them is tried.
WORDS = """
    what did who say said happened in on since before after until between and from the last past this week
    yesterday today May March 2023 5 two weeks ago months Friday flood , ? . that about articles published
    latest now according to Hallam 's current recent few days beginning of year 9999 0001 march is was
""".split()


Told = tuple[str, str, str | None, str | None]


def told(question: str, got: Interpretation) -> list[Told]:
    return [
        (
            question[one.span.start : one.span.end],
            one.kind,
            str(one.first) if one.first else None,
            str(one.last) if one.last else None,
        )
        for one in got.windows
    ]


def windows(question: str, today: date = TUESDAY) -> list[Told]:
    return told(question, interpret(question, today))


def understood(record: dict[str, Any]) -> bool:
    """Whether a judged question is understood in everything: nothing is missing, nothing is made up."""
    question = record["question"]
    events: dict[str, Days] = {
        phrase: (date.fromisoformat(first), date.fromisoformat(last))
        for phrase, (first, last) in record.get("events", {}).items()
    }
    got = interpret(question, date.fromisoformat(record["today"]), events.get)
    speaker = got.speaker
    return (
        [[kind, first, last] for _, kind, first, last in told(question, got)] == record.get("windows", [])
        and got.newest_first == record.get("newest_first", False)
        and [question[one.start : one.end] for one in got.not_understood] == record.get("not_understood", [])
        and (speaker is not None) == ("speaker" in record)
        and (speaker is None or speaker.name == record["speaker"])
        and (speaker is None or speaker.topic == record.get("topic", speaker.topic))
    )


def test_nearly_all_judged_questions_are_understood_in_everything() -> None:
    records = [json.loads(line) for line in TIMES.read_text(encoding="utf-8").splitlines()]
    wrong = [record["question"] for record in records if not understood(record)]
    assert len(records) >= 120
    assert len(wrong) <= 2, wrong


def test_a_near_date_bounds_publication_only_where_it_goes_with_what_is_asked() -> None:
    assert windows("What happened last week?") == [("last week", "published", "2026-11-16", "2026-11-22")]
    for question in (
        "Why did last week's vote fail?",
        "What did the man who resigned last week say?",
        "A vote was held last week. Who won?",
        "After winning last week, which team leads?",
    ):
        ((_, kind, first, last),) = windows(question)
        assert (kind, first, last) == ("about", "2026-11-16", "2026-11-22")


def test_this_week_reaches_back_seven_days() -> None:
    assert windows("What happened this week?", date(2026, 11, 23)) == [
        ("this week", "published", "2026-11-17", "2026-11-29")
    ]


def test_months_and_weekdays_are_read_in_small_letters_too() -> None:
    assert windows("what was said in march?") == [("in march", "about", "2026-03-01", "2026-03-31")]
    assert windows("who may march on friday?") == [("on friday", "about", "2026-11-27", "2026-11-27")]


def test_a_date_to_come_bounds_nothing() -> None:
    for question in ("What will change after 2030?", "What is guaranteed until the end of 2028?"):
        assert [kind for _, kind, _, _ in windows(question)] == ["about"]


def test_several_bounds_hold_together() -> None:
    got = interpret("What was said since March and before May?", TUESDAY)
    assert got.published == (date(2026, 3, 1), date(2026, 4, 30))


def test_windows_that_contradict_each_other_bound_nothing() -> None:
    got = interpret("What was said since May and before March?", TUESDAY)
    assert [one.kind for one in got.windows] == ["about", "about"]
    assert got.published == (None, None)


def test_an_event_stands_for_its_days() -> None:
    asked: list[str] = []

    def event_days(phrase: str) -> Days:
        asked.append(phrase)
        return FLOOD

    got = interpret("What has been rebuilt since the flood?", TUESDAY, event_days)
    assert asked == ["the flood"]
    assert got.published == (FLOOD[0], None)
    assert [one.meaning for one in got.findings] == ["published from 2025-11-09 on (the flood)"]
    assert interpret("What was built before the flood?", TUESDAY, event_days).published == (
        None,
        date(2025, 11, 8),
    )


def test_an_event_to_come_bounds_nothing() -> None:
    vote = date(2027, 3, 1), date(2027, 3, 1)
    got = interpret("What will change after the vote?", TUESDAY, lambda _: vote)
    assert [(one.kind, one.first, one.last) for one in got.windows] == [("about", *vote)]


def test_a_date_told_of_an_event_is_its_own() -> None:
    got = interpret("What has changed since the invasion began on 24 February 2022?", TUESDAY)
    assert got.published == (date(2022, 2, 24), None)
    ((_, kind, first, _),) = windows("What was said after the flood about the vote on 5 May 2026?")
    assert (kind, first) == ("about", "2026-05-05")


def test_an_event_of_unknown_days_is_reported_and_not_applied() -> None:
    got = interpret("What has been rebuilt since the flood?", TUESDAY)
    assert got.windows == ()
    ((span, kind, _),) = [(one.span, one.kind, one.meaning) for one in got.findings]
    assert (kind, span) == ("not_understood", (22, 37))


def test_the_topic_is_told_without_the_days_of_publication() -> None:
    got = interpret("What has Gabuev said since May about the alliance?", TUESDAY)
    assert got.speaker
    assert (got.speaker.name, got.speaker.named) == ("Gabuev", True)
    assert got.speaker.topic == "the alliance"


@pytest.mark.parametrize("today", [date.min, date.max, TUESDAY])
def test_the_ends_of_the_calendar_raise_nothing(today: date) -> None:
    for question in (
        "What happened this week, in the last 999 years, yesterday or since the beginning of the week?",
        "What happened after 31 December 9999?",
        "What happened before 1 January 1000?",
    ):
        interpret(question, today)


def holds(question: str, today: date) -> None:
    got = interpret(question, today, lambda _: FLOOD)
    for one in got.windows:
        assert one.first or one.last
        assert not (one.first and one.last) or one.first <= one.last
    first, last = got.published
    assert not (first and last) or first <= last
    for found in got.findings:
        assert 0 <= found.span.start < found.span.end <= len(question)
        assert found.meaning
    if got.speaker and got.speaker.name:
        start, end = got.speaker.span
        assert len(question[start:end]) == len(got.speaker.name)


@given(st.text(max_size=300), st.dates())
def test_any_text_gives_spans_within_it_and_days_in_order(question: str, today: date) -> None:
    holds(question, today)


@given(st.lists(st.sampled_from(WORDS), max_size=30), st.dates())
def test_any_words_of_time_give_days_in_order(words: list[str], today: date) -> None:
    holds(" ".join(words), today)


@given(st.integers(0, 2000))
def test_what_says_nothing_of_time_is_left_alone(number: int) -> None:
    got = interpret(f"Which bridge has {number} piles?", TUESDAY)
    assert got.findings == []


@pytest.mark.parametrize("adverb", ["", "also ", "recently ", "really now ", "not "])
def test_an_adverb_is_no_part_of_a_name(adverb: str) -> None:
    got = interpret(f"What has Hallam {adverb}said about the bridge?", TUESDAY).speaker
    assert got is not None
    assert (got.name, got.topic) == ("Hallam", "the bridge")


@pytest.mark.parametrize("thing", ["the report", "the articles", "articles published in January 2026"])
def test_what_is_printed_is_no_speaker(thing: str) -> None:
    assert interpret(f"What does {thing} say about the bridge?", TUESDAY).speaker is None
