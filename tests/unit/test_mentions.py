"""The days a text speaks of, as a reader on its day of publication understands them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.cleaning import clean
from indexer.mentions import mentions
from indexer.models import Origin, RawArticle
from tests.conftest import SEED_ID, SEEDS

MONDAY = date(2023, 10, 16)
DAYS = st.dates(date(1950, 1, 10), date(2080, 1, 1))


def said(text: str, published: date | None = MONDAY) -> list[tuple[str, str, str]]:
    return [
        (text[one.span.start : one.span.end], str(one.first), str(one.last))
        for one in mentions(text, published)
    ]


def days(text: str, published: date | None = MONDAY) -> list[tuple[str, str]]:
    return [(first, last) for _, first, last in said(text, published)]


@given(DAYS, DAYS)
def test_a_day_that_is_written_out_is_that_day_whenever_it_is_read(day: date, published: date) -> None:
    month = f"{day:%B}"
    for written in (
        day.isoformat(),
        f"{month} {day.day}, {day.year}",
        f"{day.day} {month} {day.year}",
        f"{day:%A}, {month} {day.day}, {day.year}",
    ):
        assert days(f"It was decided on {written} by all.", published) == [(str(day), str(day))]
        assert days(f"It was decided on {written} by all.", None) == [(str(day), str(day))]


@given(DAYS)
def test_days_around_the_day_of_publication_are_counted_from_it(published: date) -> None:
    for words, offset in (("yesterday", -1), ("today", 0), ("this morning", 0), ("tomorrow", 1)):
        day = str(published + timedelta(offset))
        assert days(f"The council spoke of it {words} at length.", published) == [(day, day)]


@given(DAYS, st.integers(0, 6))
def test_a_weekday_in_the_past_is_the_latest_of_its_name(published: date, weekday: int) -> None:
    name = f"{date(2024, 1, 1) + timedelta(weekday):%A}"
    ((first, last),) = days(f"The board voted on {name} to close it.", published)
    found = date.fromisoformat(first)
    assert first == last
    assert found.weekday() == weekday
    assert 0 <= (published - found).days < 7


@given(DAYS)
def test_calendar_units_are_whole(published: date) -> None:
    ((first, last),) = days("It began last week in the north.", published)
    monday = published - timedelta(published.weekday() + 7)
    assert (first, last) == (str(monday), str(monday + timedelta(6)))
    assert days("It began last year in the north.", published) == [
        (f"{published.year - 1}-01-01", f"{published.year - 1}-12-31")
    ]


@pytest.mark.parametrize(
    ("text", "words", "first", "last"),
    [
        ("They met in March in Moscow.", "March", "2023-03-01", "2023-03-31"),
        ("It was signed last February.", "last February", "2022-02-01", "2022-02-28"),
        ("The vote will be held in December.", "December", "2023-12-01", "2023-12-31"),
        ("Prices rose in early September.", "early September", "2023-09-01", "2023-09-10"),
        ("Prices rose in late 2021.", "late 2021", "2021-09-01", "2021-12-31"),
        ("In the second quarter of 2022, sales fell.", "second quarter of 2022", "2022-04-01", "2022-06-30"),
        ("The war lasted from 1939 to 1945.", "1939 to 1945", "1939-01-01", "1945-12-31"),
        ("The fair runs Oct. 14-16.", "Oct. 14-16", "2023-10-14", "2023-10-16"),
        ("The trial opens next Monday.", "next Monday", "2023-10-23", "2023-10-23"),
        ("Over the past three months it fell.", "the past three months", "2023-07-16", "2023-10-16"),
        ("He left two weeks ago.", "two weeks ago", "2023-10-02", "2023-10-08"),
        ("It closed ten days ago.", "ten days ago", "2023-10-06", "2023-10-06"),
        ("Sales rose this summer.", "this summer", "2023-06-01", "2023-08-31"),
        ("Since 2014 the two have met often.", "2014", "2014-01-01", "2014-12-31"),
    ],
)
def test_words_for_days(text: str, words: str, first: str, last: str) -> None:
    assert said(text) == [(words, first, last)]


@pytest.mark.parametrize(
    "text",
    [
        "You may go. It may rain, and May Hobbs may sing.",
        "Theresa May and April Oakes met August Wilson.",
        "They march on; the March for Life was long.",
        "It costs 2014 dollars and 1999 people came.",
        "He lives at 1984 Elm Street.",
        "Black Friday sales, Super Tuesday and Good Friday.",
        "Flight 2023 landed; call 555-2024.",
        "More than two years ago he left.",
        "Every Monday they meet.",
        "USA Today reported it.",
        "It was 30 February 2021.",
        "the 1980s were loud",
        "The trial opens next Friday.",  # said on a Monday, it may be either
    ],
)
def test_what_only_looks_like_a_day_is_none(text: str) -> None:
    assert days(text) == []


def test_without_a_day_of_publication_only_what_states_its_year_is_found() -> None:
    text = "Yesterday, last week, in March and on Tuesday they spoke of 3 May 2021 and of June 2020."
    assert said(text, None) == [
        ("3 May 2021", "2021-05-03", "2021-05-03"),
        ("June 2020", "2020-06-01", "2020-06-30"),
    ]


@given(st.text(max_size=200), st.dates())
def test_any_text_gives_days_in_order_that_stand_in_it(text: str, published: date) -> None:
    found = mentions(text, published)
    ends = [0, *(one.span.end for one in found)]
    for before, one in zip(ends, found, strict=False):
        assert before <= one.span.start < one.span.end <= len(text)
        assert one.first <= one.last


@given(
    st.lists(
        st.sampled_from(
            "last next this week month year Friday March May 2021 the past three two days ago on in early of "
            "said will yesterday weekend summer - , . 14 31 th until Oct. 9999 0001".split()
        ),
        max_size=25,
    ),
    st.dates(),
)
def test_any_words_for_days_give_days_or_nothing(words: list[str], published: date) -> None:
    for one in mentions(" ".join(words), published):
        assert one.first <= one.last


def test_the_seed_articles_days_are_what_they_were() -> None:
    text = (SEEDS / f"{SEED_ID}.txt").read_text(encoding="utf-8")
    article = clean(RawArticle(text, Origin("seed"), SEED_ID)).article
    assert article is not None
    assert article.day == MONDAY
    assert ("last February", "2022-02-01", "2022-02-28") in said(article.text, article.day)
    assert ("March", "2023-03-01", "2023-03-31") in said(article.text, article.day)
    assert ("late Monday", "2023-10-16", "2023-10-16") in said(article.text, article.day)


def test_typographic_marks_change_no_place() -> None:
    text = "“It began,” she said on Friday’s eve – in “October 2021” …"
    for words, _, _ in said(text):
        assert words in text
    assert ("October 2021", "2021-10-01", "2021-10-31") in said(text)
