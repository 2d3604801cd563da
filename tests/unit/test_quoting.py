"""The quotations of a collection, as answers ask for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import UsageError
from indexer.local.corpus import Corpus, CorpusWriter
from indexer.local.generation import LocalGeneration
from indexer.models import Article, Span
from indexer.quotes import Quotation
from service import quoting
from service.quoting import QuotesQuery, Speakers, most_quoted, quotes, said_by
from tests.conftest import SEED_ID


def test_a_speakers_words_in_some_articles(generation: LocalGeneration) -> None:
    said = said_by(generation.corpus, "Gabuev", [SEED_ID, "sample/harbour-courier/bridge-cost", "unknown"])
    assert list(said) == [SEED_ID]
    article = generation.corpus.article(SEED_ID)
    assert article is not None
    assert any(article.text[slice(*one.place)].startswith("I don't expect") for one in said[SEED_ID])
    assert said_by(generation.corpus, "Nobody", [SEED_ID]) == {}


def test_nothing_is_asked_of_nobody() -> None:
    with pytest.raises(UsageError, match="say who"):
        QuotesQuery()


def test_the_same_words_of_two_copies_come_once(generation: LocalGeneration) -> None:
    hits = quotes(generation, QuotesQuery(topic="storm", limit=100)).hits
    said = [(hit.quotation.speaker, hit.quote.text) for hit in hits]
    assert len(said) == len(set(said))


def test_what_the_article_does_not_hold_is_dropped(
    generation: LocalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quotes(generation, QuotesQuery("Gabuev")).hits
    monkeypatch.setattr(quoting, "holder", lambda *_: None)
    assert quotes(generation, QuotesQuery("Gabuev")).hits == []
    assert quotes(generation, QuotesQuery("Gabuev", topic="Russia")).hits == []


MostQuoted = Callable[..., Speakers]


@pytest.fixture
def most_quoted_of(tmp_path: Path) -> MostQuoted:
    """Who is quoted most where these are, each time with other words."""

    def of(*speakers: str | None, part: str = "", limit: int = 20) -> Speakers:
        text = " ".join(f"word{at:03}" for at in range(len(speakers)))
        with CorpusWriter(tmp_path / "corpus") as writer:
            row = writer.add(Article("a", text, "A", "2026-01-02T10:00:00Z"), "a", "2026-01-03", "")
            writer.add_quotations(
                row,
                (
                    Quotation(Span(at * 8, at * 8 + 7), speaker, None, None, direct=True)
                    for at, speaker in enumerate(speakers)
                ),
            )
        corpus = Corpus(tmp_path / "corpus")
        try:
            return most_quoted(corpus, part=part, limit=limit)
        finally:
            corpus.close()

    return of


@pytest.mark.parametrize(
    ("speakers", "expected"),
    [
        # A surname alone is the one person's of this surname, and nobody's of several.
        (["Idony Hallam", "Hallam", "Hallam"], [("Idony Hallam", "Hallam", 3)]),
        (["Ann Lee", "Lee", "Bob Lee"], [("Ann Lee", "Ann Lee", 1), ("Bob Lee", "Bob Lee", 1)]),
        (["Hallam", "Hallam"], [("Hallam", "Hallam", 2)]),
        # The full form that is written most; all are found by what they share.
        (["Ann B. Lee", "Ann Lee", "Ann Lee"], [("Ann Lee", "Ann Lee", 3)]),
        (["Ann B. Lee", "Ann B. Lee", "Ann Lee"], [("Ann B. Lee", "Ann Lee", 3)]),
        (["Ann Lee Jr.", "Bob Lee"], [("Ann Lee Jr.", "Ann Lee Jr.", 1), ("Bob Lee", "Bob Lee", 1)]),
        # Bodies have one name each.
        (
            ["North Bus Service", "North Sea Service"],
            [("North Bus Service",) * 2 + (1,), ("North Sea Service",) * 2 + (1,)],
        ),
        # Nobody, whoever is described, and who only seems to have a name.
        ([None, "the mayor", "officials", "Officials"], []),
    ],
)
def test_a_person_is_listed_once_under_a_full_name(
    most_quoted_of: MostQuoted, speakers: list[str | None], expected: list[tuple[str, str, int]]
) -> None:
    listed = most_quoted_of(*speakers)
    assert [(one.name, one.asked, one.quotes) for one in listed.found] == expected
    assert listed.total == len(expected)
    assert {(one.first, one.last) for one in listed.found} <= {("2026-01-02", "2026-01-02")}


def test_the_most_quoted_come_first_and_no_more_than_wanted(most_quoted_of: MostQuoted) -> None:
    listed = most_quoted_of("Ann Lee", "Bob Ray", "Bob Ray", "Célie Marchbank", limit=2)
    assert [(one.name, one.quotes) for one in listed.found] == [("Bob Ray", 2), ("Ann Lee", 1)]
    assert listed.total == 3


@pytest.mark.parametrize("part", ["celie", "MARCH", "lie mar", "Célie Marchbank"])
def test_a_part_of_a_name_finds_it(most_quoted_of: MostQuoted, part: str) -> None:
    listed = most_quoted_of("Ann Lee", "Célie Marchbank", "Bob Ray", part=part)
    assert [one.name for one in listed.found] == ["Célie Marchbank"]


def test_as_many_quotes_are_found_as_are_counted(generation: LocalGeneration) -> None:
    listed = most_quoted(generation.corpus, limit=100)
    assert len(listed.found) == listed.total > 10
    assert [one.quotes for one in listed.found] == sorted((one.quotes for one in listed.found), reverse=True)
    for one in listed.found:
        hits = quotes(generation, QuotesQuery(one.asked, limit=1000)).hits
        assert (len(hits), sum(hit.quotation.direct for hit in hits)) == (one.quotes, one.direct)
    assert most_quoted(generation.corpus, limit=3).found == listed.found[:3]
