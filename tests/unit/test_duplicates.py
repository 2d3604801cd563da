"""Copies are found whatever was edited; what only looks alike is left apart."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.duplicates import containment, groups, shingles, sign
from indexer.models import Article

STORY = (
    "The harbour board of Wexcombe voted on Tuesday to raise the sea wall by two metres. Its chair, "
    "Adaeze Thornbury, said that the storm of 14 January had cost the town 3.1 million crowns.\n\n"
    "Work begins in spring and takes until 2027. Two houses on Tern Street have to give way; their "
    "owners were offered plots above the railway.\n\nFishermen had asked for a gate instead, which the "
    "board found too dear. A petition against the plan was signed by 412 people."
)
REPORT = (
    "{city}: the fish market reported a catch of {catch} tonnes of herring for the day. Prices stood at "
    "{price} crowns a crate at noon, against {before} the day before. {boat} landed the most. The market "
    "opens again tomorrow at six in the morning, weather permitting, and buyers are asked to register."
)


def article(text: str, *, title: str = "A title", day: str | None = "2024-03-05") -> Article:
    return Article(f"{hash((text, title, day))}", text, title, day)


def grouped(tmp_path: Path, *articles: Article) -> list[list[int]]:
    return groups(enumerate(map(sign, articles)), articles.__getitem__, tmp_path)


def edited(text: str, seed: int) -> str:
    """Every tenth word is another, as an editor would have it."""
    chance = random.Random(seed)  # noqa: S311  no secret
    words = text.split(" ")
    for at in range(chance.randrange(10), len(words), 10):
        words[at] = "so"
    return " ".join(words)


WORDS = st.lists(st.sampled_from("the sea wall storm of town board two plots".split()), max_size=60)


@given(WORDS, WORDS)
def test_containment_is_a_share_that_does_not_depend_on_the_order(one: list[str], other: list[str]) -> None:
    first, second = shingles(" ".join(one)), shingles(" ".join(other))
    assert containment(first, second) == containment(second, first)
    assert 0 <= containment(first, second) <= 1
    assert containment(first, first) == (1 if first else 0)


def test_case_marks_and_line_ends_make_no_other_text() -> None:
    assert shingles("The sea-wall, at LAST; rises.") == shingles("the sea wall\n\nat last rises")


@pytest.mark.parametrize("seed", range(8))
def test_an_edited_copy_with_a_paragraph_cut_is_found(tmp_path: Path, seed: int) -> None:
    cut = STORY.split("\n\n")
    del cut[seed % 3]
    copy = replace(
        article(edited("\n\n".join(cut), seed)), title="Another headline", published_at="2024-03-06"
    )
    assert grouped(tmp_path, article(STORY), article(REPORT), copy) == [[0, 2]]


def test_all_copies_of_one_story_are_one_group_in_order(tmp_path: Path) -> None:
    copies = [article(STORY), *(article(edited(STORY, seed)) for seed in range(4))]
    assert grouped(tmp_path, *copies) == [[0, 1, 2, 3, 4]]


def test_equal_texts_are_copies_under_any_headline_and_day(tmp_path: Path) -> None:
    again = article(STORY.upper(), title="Sea wall", day="2025-11-30")
    assert grouped(tmp_path, article(STORY), again) == [[0, 1]]


def test_reports_of_one_template_are_stories_of_their_own(tmp_path: Path) -> None:
    facts = [
        {"city": "Wexcombe", "catch": "31", "price": "14.50", "before": "13.20", "boat": "The Petrel"},
        {"city": "Alderhaven", "catch": "44", "price": "12.10", "before": "15.00", "boat": "The Guillemot"},
        {"city": "Skerry", "catch": "9", "price": "17.75", "before": "16.40", "boat": "The Tern"},
    ]
    assert grouped(tmp_path, *(article(REPORT.format(**one)) for one in facts)) == []


def test_a_report_that_returns_after_a_week_is_another_story(tmp_path: Path) -> None:
    first = article(STORY)
    changed = STORY.replace("Tuesday", "Monday").replace("two metres", "one metre and a half more")
    changed = changed.replace("Two houses on Tern Street have to give way; their", "Ten more houses go; all")
    soon, late = (article(changed, day=day) for day in ("2024-03-07", "2024-03-19"))
    assert grouped(tmp_path, first, soon) == [[0, 1]]
    assert grouped(tmp_path, first, late) == []


def test_of_a_few_words_the_headline_and_the_day_tell_the_story(tmp_path: Path) -> None:
    blah = "Blah blah blah."
    flashes = [
        article(blah, title="Dollar falls"),
        article(blah, title="Dollar rises"),
        article(blah, title="Dollar falls", day="2024-03-06"),
        article("blah, blah, blah", title="DOLLAR FALLS"),
    ]
    assert grouped(tmp_path, *flashes) == [[0, 3]]


def test_texts_without_words_are_told_apart_by_their_headlines(tmp_path: Path) -> None:
    assert grouped(tmp_path, article("***", title="One"), article("---", title="Two")) == []


def test_nothing_is_left_behind_and_nothing_is_nothing(tmp_path: Path) -> None:
    assert grouped(tmp_path) == []
    assert grouped(tmp_path, article(STORY)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_few_are_compared_with_all_as_all_are_with_each_other(tmp_path: Path) -> None:
    others = [article(" ".join(f"{word}{number}" for word in STORY.split())) for number in range(5)]
    every = [article(STORY), *others, article(edited(STORY, 1)), article(edited(others[2].text, 2))]
    signed = list(enumerate(map(sign, every)))
    whole = groups(signed, every.__getitem__, tmp_path)
    assert whole == [[0, 6], [3, 7]]
    assert groups(signed, every.__getitem__, tmp_path, fresh={6, 7}) == whole
    assert groups(signed, every.__getitem__, tmp_path, known=[[0, 6]], fresh={7}) == whole
    assert groups(signed, every.__getitem__, tmp_path, fresh={6}) == [[0, 6]]
