"""Events are dated by what the articles say of them, or not at all."""

from datetime import date
from pathlib import Path
from shutil import copytree

import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.mentions import Days
from service.asking.events import event_days
from service.asking.interpretation import interpret
from tests.conftest import build_index


@pytest.mark.parametrize(
    ("phrase", "days"),
    [
        ("the invasion", (date(2022, 2, 1), date(2022, 2, 28))),  # "last February", in October 2023
        ("Russia's invasion of Ukraine", (date(2022, 2, 1), date(2022, 2, 28))),
        ("the flood", (date(2025, 11, 9), date(2025, 11, 9))),
        ("the election", (date(2026, 6, 14), date(2026, 6, 14))),  # "In Sunday's election"
        ("the inquiry report", (date(2026, 5, 28), date(2026, 5, 28))),
    ],
)
def test_an_event_is_dated_as_the_articles_date_it(
    generation: LocalGeneration, phrase: str, days: Days
) -> None:
    assert event_days(generation, phrase) == days


@pytest.mark.parametrize(
    "phrase",
    ["the council", "the bridge", "the vote", "the moon landing", "it", "", "the", "?!", "word " * 500],
)
def test_what_is_no_event_or_several_has_no_days(generation: LocalGeneration, phrase: str) -> None:
    assert event_days(generation, phrase) is None


def test_stories_that_disagree_date_nothing_and_agreeing_ones_the_shortest_days(
    seed_index: Path, tmp_path: Path
) -> None:
    stories = (
        "Many shops have stayed closed since the fire of 3 May 2024 in the old town, as their owners say.",
        "It was the fire in May 2024 that made the council think about the narrow streets again.",
        "Nobody has been charged for the robbery of 7 June 2024 at the savings bank by the station.",
        "People still speak of the robbery of 9 August 2021 when they pass the jeweller at the corner.",
        "The parade in June 2024 was the first one for many years that had an elephant in it again.",
    )
    for number, text in enumerate(stories):
        (tmp_path / f"{number}.txt").write_text(
            f"A town and its story number {number}\n10 March 2025\n{text}\n", encoding="utf-8"
        )
    copytree(seed_index, tmp_path / "index")
    build_index(tmp_path / "index", *sorted(tmp_path.glob("*.txt")), from_current=True)
    with LocalIndex(IndexFolder(tmp_path / "index")).open_best(pytest.fail) as generation:
        assert event_days(generation, "the fire") == (date(2024, 5, 3), date(2024, 5, 3))
        assert event_days(generation, "the robbery") is None
        assert event_days(generation, "the parade") == (date(2024, 6, 1), date(2024, 6, 30))


def test_a_question_is_bounded_by_an_event_of_the_collection(generation: LocalGeneration) -> None:
    got = interpret(
        "What has China said since the invasion?",
        date(2026, 11, 24),
        lambda phrase: event_days(generation, phrase),
    )
    assert got.published == (date(2022, 2, 1), None)
