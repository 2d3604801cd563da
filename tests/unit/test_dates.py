"""Dates in the forms that pages and feeds use; nothing that only looks like one."""

from datetime import date, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.dates import date_line, parse_published, url_day

MONTHS = "January February March April May June July August September October November December".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
DAYS = st.dates(date(1600, 1, 1), date(2026, 12, 31))


def _ordinal(day: int) -> str:
    ending = "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def _forms(day: date) -> list[str]:
    month, weekday = MONTHS[day.month - 1], WEEKDAYS[day.weekday()]
    return [
        day.isoformat(),
        f"{day.day:02} {month[:3]}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{month} {day.day}, {day.year}",
        f"{month[:3]}. {_ordinal(day.day)} {day.year}",
        f"{weekday}, {_ordinal(day.day)} {month} {day.year}",
        f"{weekday[:3]} {month.upper()} {day.day} {day.year}",
        f"Published: {day.isoformat()}",
        f"Last updated on {month} {day.day}, {day.year} at 10:30 a.m. GMT",
        f"  Posted {day.day} {month.lower()} {day.year}, 18:05 CET. ",
    ]


@given(DAYS)
def test_a_day_is_read_back_from_each_written_form(day: date) -> None:
    for form in _forms(day):
        assert date_line(form) == day.isoformat(), form
        assert parse_published(form) == day.isoformat(), form


@given(DAYS, st.sampled_from(range(10)), st.sampled_from(["the", "Report", "said", "in Paris", "again"]))
def test_a_line_with_other_words_is_no_date_line(day: date, form: int, words: str) -> None:
    assert date_line(f"{_forms(day)[form]} {words}") is None
    assert date_line(f"{words} {_forms(day)[form]}") is None


@pytest.mark.parametrize(
    "line",
    [
        "31 February 2023",
        "February 29, 2023",
        "2023-13-01",
        "2023-00-10",
        "0 May 2023",
        "32 May 2023",
        "2023-04-31",
    ],
)
def test_an_impossible_day_is_none(line: str) -> None:
    assert date_line(line) is None
    assert parse_published(line) is None


@pytest.mark.parametrize(
    "line", ["", "2023", "May 2023", "16 Oct", "10:30", "16/10/2023", "16 Okt 2023", "Oct 16"]
)
def test_half_a_date_is_no_date_line(line: str) -> None:
    assert date_line(line) is None


@given(st.datetimes(datetime(1601, 1, 1), datetime(2026, 12, 31)), st.integers(-14 * 4, 14 * 4))  # noqa: DTZ001
def test_a_moment_keeps_its_offset(moment: datetime, quarters: int) -> None:
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=15 * quarters)))
    assert parse_published(f" {aware.isoformat()} ") == aware.isoformat()


@given(st.datetimes(datetime(1950, 1, 1), datetime(2026, 12, 31)), st.integers(-12, 14))  # noqa: DTZ001
def test_the_mail_format_of_feeds_is_read(moment: datetime, hours: int) -> None:
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))
    found = parse_published(format_datetime(aware))
    assert found is not None
    assert datetime.fromisoformat(found).replace(tzinfo=None) == aware.replace(tzinfo=None)
    assert hours == 0 or datetime.fromisoformat(found) == aware


@pytest.mark.parametrize("clock", ["10:30 GMT", "10:30 AM", "10:30"])
def test_a_day_is_not_lost_to_the_clock_behind_it(clock: str) -> None:
    found = parse_published(f"2023-10-16 {clock}")
    assert found is not None
    assert found[:10] == "2023-10-16"


@pytest.mark.parametrize(
    "stated",
    [
        "",
        "yesterday",
        "last Tuesday at 5",
        "n/a",
        "May 2023",
        "12:30",
        "06/07/2023",
        "16/16/2023",
        "2999-01-01",
        "0023-10-16",
        "12345",
        "Mon, 16 Oct 99999999999999999999 10:00:00 +0000",
    ],
)
def test_what_cannot_be_read_is_none_and_no_guess(stated: str) -> None:
    assert parse_published(stated) is None


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        ("1612110512", "2021-01-31T16:28:32+00:00"),
        ("1612110512300", "2021-01-31T16:28:32+00:00"),
        ("16/10/2023", "2023-10-16"),
        ("10/16/2023", "2023-10-16"),
        ("20231016", "2023-10-16"),
        ("20231016T083000Z", "2023-10-16T08:30:00+00:00"),
        ("2023-10-16T08:30:00.123456Z", "2023-10-16T08:30:00+00:00"),
        ("26-FEB-1987 15:01:01.79", "1987-02-26T15:01:01"),
        ("27-MAR-1987 00:02:59.13RM", "1987-03-27T00:02:59"),
        ("16 octobre 2023", "2023-10-16"),
        ("16. Oktober 2023", "2023-10-16"),
        ("16 de octubre de 2023", "2023-10-16"),
    ],
)
def test_other_forms_that_leave_no_doubt_are_read(stated: str, read: str) -> None:
    assert parse_published(stated) == read


@pytest.mark.parametrize(
    ("url", "day"),
    [
        ("https://example.org/2023/10/16/bridge", "2023-10-16"),
        ("https://example.org/news/2023-10-16-bridge.html", "2023-10-16"),
        ("https://example.org/20231016/bridge", "2023-10-16"),
        ("https://example.org/2023/oct/16/bridge", "2023-10-16"),
        ("https://example.org/2023/10/bridge", None),
        ("https://example.org/2023/13/16/bridge", None),
        ("https://example.org/article/20231016123", None),
        ("https://example.org/story?from=2023-10-16", None),
        ("", None),
    ],
)
def test_a_url_states_a_day_or_nothing(url: str, day: str | None) -> None:
    assert url_day(url) == day


@given(st.text())
def test_whatever_is_stated_the_result_is_iso_8601_or_nothing(stated: str) -> None:
    found = parse_published(stated)
    assert found is None or datetime.fromisoformat(found).isoformat().startswith(found)
