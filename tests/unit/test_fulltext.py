"""Words are found in whatever form, at their places, under the same filters as everything else."""

import json
from collections.abc import Collection, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.local.fulltext import FullTextIndex, FullTextWriter
from indexer.local.generation import LocalGeneration
from indexer.models import EVERYTHING, Article, Filters
from indexer.words import query_terms

TEXTS = [
    "The bridge over the Narrows will cost more crowns",
    "Bridges, bridges and bridges: the town has had enough of the bridge",
    "The ferry captain naïvely sailed to Łódź past the Café",
    "Nothing to see here but the crowns",
]
DAYS = ["2024-01-01", "2024-01-02T23:30:00-05:00", None, "2024-01-03"]
SOURCES = ["The Ledger", "the ledger", None, "Ünïcode Times"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FullTextIndex:
    folder = tmp_path_factory.mktemp("fulltext") / "index"
    with FullTextWriter(folder) as writer:
        for row, (text, day, source) in enumerate(zip(TEXTS, DAYS, SOURCES, strict=True)):
            writer.add(row, text, Article(f"a{row}", text, "", published_at=day, source=source))
    return FullTextIndex(folder)


def found(index: FullTextIndex, question: str, filters: Filters = EVERYTHING, k: int = 100) -> list[int]:
    rows, scores = index.search(query_terms(question), k, filters)
    assert len(rows) == len(scores)
    assert list(scores) == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)
    return list(map(int, rows))


def test_passages_that_hold_the_words_are_found_the_best_first(index: FullTextIndex) -> None:
    assert found(index, "bridge") == [1, 0]
    assert found(index, "narrows bridge") == [0, 1]
    assert set(found(index, "crowns or bridges?")) == {0, 1, 3}
    assert found(index, "bridge", k=1) == [1]
    assert found(index, "zeppelin") == []
    assert len(index) == len(TEXTS)


@pytest.mark.parametrize(
    "question", ["lodz", "ŁÓDŹ", "cafes", "CAFÉ", "sailing", "naive ferries", "captains'"]
)
def test_words_are_found_in_whatever_case_accent_or_form(index: FullTextIndex, question: str) -> None:
    assert found(index, question) == [2]


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        (Filters(date(2024, 1, 1), date(2024, 1, 3)), {0, 1, 3}),
        (Filters(published_after=date(2024, 1, 2)), {1, 3}),
        (Filters(published_before=date(2024, 1, 2)), {0, 1}),
        (Filters(date(2024, 1, 2), date(2024, 1, 2)), {1}),
        (Filters(published_after=date(2025, 1, 1)), set()),
        (Filters(sources=("The Ledger",)), {0}),
        (Filters(sources=("The Ledger", "Ünïcode Times", "?")), {0, 3}),
        (Filters(date(2024, 1, 2), sources=("The Ledger",)), set()),
        (Filters(authors=("Ann Lee",)), set()),
    ],
)
def test_filters_let_through_what_they_name(index: FullTextIndex, filters: Filters, rows: set[int]) -> None:
    assert set(found(index, "the", filters)) == rows


def test_a_filter_does_not_change_the_scores(index: FullTextIndex) -> None:
    terms = query_terms("bridge crowns")
    rows, scores = index.search(terms, 10, EVERYTHING)
    (bound_row,), (bound_score,) = index.search(terms, 10, Filters(sources=("The Ledger",)))
    assert bound_row == 0
    assert bound_score == pytest.approx(scores[rows.tolist().index(0)])


@pytest.mark.parametrize(
    "question",
    [
        "AND OR NOT",
        'bridge AND (NOT "ferry OR',
        "words:bridge^3 ~2 [a TO z] {*} /regex.*/",
        "+bridge -ferry *",
        "\\",
        "a" + "\u0301" * 1000,
        "\u0301" * 1000,
        "x" * 2000,
        "🙂 👩‍👩‍👧 \u202e",
        "\x00",
    ],
)
def test_no_question_is_a_syntax_error(index: FullTextIndex, question: str) -> None:
    rows, _ = index.search(query_terms(question), 10, EVERYTHING)
    assert set(map(int, rows)) <= set(range(len(TEXTS)))


def test_a_rarer_word_weighs_more(index: FullTextIndex) -> None:
    (the, crowns, ferry, none) = (index.rarity(term) for term in query_terms("the crowns ferry zeppelin"))
    assert 0 <= the < crowns < ferry < none


@pytest.fixture(scope="module")
def named(generation: LocalGeneration) -> tuple[list[str], list[str]]:
    """The sources and authors of the seeds, each with one that is none."""
    articles = [stored.article for stored in generation.corpus.articles()]
    return (
        sorted({article.source or "?" for article in articles}),
        sorted({article.author or "?" for article in articles}),
    )


def _days() -> Iterator[date]:
    for month in range(1, 13):
        yield date(2025, month, 10)
        yield date(2026, month, 10)


@settings(max_examples=50)
@given(st.data())
def test_corpus_and_full_text_filter_alike(
    generation: LocalGeneration, named: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    days = st.none() | st.sampled_from(sorted(_days()))
    after, before = data.draw(days), data.draw(days)
    if after and before and after > before:
        after, before = before, after
    sources, authors = (data.draw(st.lists(st.sampled_from(names), max_size=3)) for names in named)
    filters = Filters(after, before, tuple(sources), tuple(authors))
    terms = query_terms("the a of and to in")
    everything = {int(row) for row in generation.fulltext.search(terms, 1000, EVERYTHING)[0]}
    assert len(everything) == len(generation.fulltext)
    mask = generation.columns.allowed(filters)
    allowed = everything if mask is None else {row for row in everything if mask[row]}
    assert {int(row) for row in generation.fulltext.search(terms, 1000, filters)[0]} == allowed


@pytest.mark.parametrize(
    ("first", "last", "asked", "found"),
    [
        ("2024-05-07", "2024-05-07", ("2024-05-07", "2024-05-07"), True),
        ("2024-05-07", "2024-05-07", ("2024-05-08", "2024-05-08"), False),
        ("2024-05-06", "2024-05-12", ("2024-05-08", "2024-05-08"), True),
        ("2024-05-07", "2024-05-07", ("2024-05-01", "2024-05-31"), True),
        ("2024-05-07", "2024-05-07", ("2024-06-01", "2024-06-30"), False),
        ("2024-05-07", "2024-05-07", ("2024-01-01", "2024-12-31"), True),
        ("2024-01-01", "2024-12-31", ("2024-05-07", "2024-05-07"), False),  # says nothing of one day
        ("2019-01-01", "2024-12-31", ("2020-02-01", "2020-02-29"), True),
        ("0001-01-01", "9999-12-31", ("9999-12-31", "9999-12-31"), False),
    ],
)
def test_a_passage_is_found_by_the_days_it_speaks_of(
    tmp_path: Path, first: str, last: str, asked: tuple[str, str], found: bool
) -> None:
    with FullTextWriter(tmp_path / "index") as writer:
        days = (date.fromisoformat(first), date.fromisoformat(last))
        writer.add(0, "The vote was then", Article("a", "The vote was then", ""), [days])
    index = FullTextIndex(tmp_path / "index")
    wanted = [(date.fromisoformat(asked[0]), date.fromisoformat(asked[1]))]
    assert len(index.search(["nowhere"], 5, EVERYTHING, wanted)[0]) == found


@pytest.fixture(params=["every word", "the rarest words"])
def crowd(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> FullTextIndex:
    """600 passages, one each day, all of which hold "the"; every 7th "ferry", every 50th "bridge".

    As a small collection, of which every word is read, and as a large one, of which the rarest lead.
    """
    if request.param == "the rarest words":
        monkeypatch.setattr("indexer.local.fulltext._MOST_READ", 0)
    folder = tmp_path_factory.mktemp("crowd") / "index"
    with FullTextWriter(folder) as writer:
        for row in range(600):
            text = " ".join(["the", *["ferry"] * (row % 7 == 0), *["bridge"] * (row % 50 == 0)])
            day = date(2023, 1, 1) + timedelta(row)
            source = f"paper {row % 3}"
            writer.add(row, text, Article("a", text, "", published_at=day.isoformat(), source=source))
    return FullTextIndex(folder)


@pytest.mark.parametrize("k", [1, 10, 50, 599, 600, 1000])
@pytest.mark.parametrize(
    ("filters", "passes"),
    [
        (EVERYTHING, range(600)),
        (Filters(date(2023, 1, 2)), range(1, 600)),
        (Filters(published_before=date(2023, 12, 31)), range(365)),
        (Filters(date(2023, 1, 10), date(2024, 6, 30)), range(9, 547)),
        (Filters(date(2023, 1, 10), date(2023, 1, 12)), range(9, 12)),
        (Filters(sources=("paper 1",)), range(1, 600, 3)),
        (Filters(date(2023, 1, 2), sources=("paper 1", "paper 2")), set(range(1, 600)) - {*range(0, 600, 3)}),
        (Filters(date(2030, 1, 1)), ()),
    ],
)
def test_lists_are_as_long_as_can_be_whatever_the_filter(
    crowd: FullTextIndex, filters: Filters, passes: Collection[int], k: int
) -> None:
    rows = found(crowd, "the ferry under the bridge", filters, k)
    assert len(rows) == len(set(rows)) == min(k, len(passes))
    assert set(rows) <= set(passes)
    named = [row for row in passes if row % 7 == 0 or row % 50 == 0]
    assert set(rows[: len(named)]) <= set(named)


def test_a_longer_list_begins_as_a_shorter_one(crowd: FullTextIndex) -> None:
    question = "the ferry under the bridge"
    whole = found(crowd, question, k=600)
    assert all(found(crowd, question, k=k) == whole[:k] for k in (1, 12, 90, 98, 300))


def test_a_question_of_function_words_finds_who_uses_them(crowd: FullTextIndex) -> None:
    assert len(found(crowd, "is it the?", k=20)) == 20


def test_common_words_that_do_not_lead_still_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.local.fulltext._MOST_READ", 0)
    with FullTextWriter(tmp_path / "index") as writer:
        for row in range(40):
            text = f"ferry {'with' if row % 3 == 0 else 'town'}"
            writer.add(row, text, Article("a", text, ""))
    rows = found(FullTextIndex(tmp_path / "index"), "who came with the ferry", k=14)
    assert set(rows) == set(range(0, 40, 3))


VOCABULARY = "bridge ferry crowns the narrows town captain vote".split()


def _text(row: int) -> str:
    return " ".join(VOCABULARY[(row * step + step) % len(VOCABULARY)] for step in range(1, 5)) + f" no{row}"


def _add(writer: FullTextWriter, rows: Iterable[int]) -> None:
    for row in rows:
        day = (date(2024, 1, 1) + timedelta(row % 28)).isoformat()
        article = Article("a", "-", "", published_at=day, source=f"paper {row % 3}")
        writer.add(row, _text(row), article, [(date(2024, 1, 1 + row % 28), date(2024, 1, 1 + row % 28))])


def _grow(before: Path, after: Path) -> Path:
    """A folder that holds links to the files of another."""
    after.mkdir()
    for path in before.iterdir():
        (after / path.name).hardlink_to(path)
    return after


def _files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir()}


def test_a_grown_index_finds_what_one_built_at_once_finds(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    with FullTextWriter(folder) as writer:
        _add(writer, range(100))
    kept = set(range(100))
    for step in range(1, 12):  # enough of them that segments are merged
        before = _files(folder)
        grown = _grow(folder, tmp_path / str(step))
        removed, added = set(range(step * 3, step * 3 + 5)), set(range(100 * step, 100 * step + 9))
        with FullTextWriter(grown) as writer:
            writer.remove(removed)
            _add(writer, sorted(added | {step * 3}))  # one of those removed comes back
        kept = kept - removed | added | {step * 3}
        assert _files(folder) == before
        folder = grown
    with FullTextWriter(tmp_path / "whole") as writer:
        _add(writer, sorted(kept))
    grown_index, whole_index = FullTextIndex(folder), FullTextIndex(tmp_path / "whole")
    assert len(grown_index) == len(whole_index) == len(kept)
    asked = [(date(2024, 1, 9), date(2024, 1, 9))]
    for question in [*VOCABULARY, "the bridge", *(f"no{row}" for row in (3, 4, 7, 50, 500, 1108))]:
        for filters in (
            EVERYTHING,
            Filters(date(2024, 1, 5), date(2024, 1, 9)),
            Filters(sources=("paper 1",)),
        ):
            terms = query_terms(question)
            rows = [
                set(index.search(terms, 1000, filters, asked)[0].tolist())
                for index in (grown_index, whole_index)
            ]
            assert rows[0] == rows[1]


def test_a_grown_index_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    with FullTextWriter(folder) as writer:
        _add(writer, range(20))
    for step in range(1, 25):
        folder = _grow(folder, tmp_path / str(step))
        with FullTextWriter(folder) as writer:
            writer.remove([step])
            _add(writer, [100 + step])
        segments = json.loads((folder / "meta.json").read_text())["segments"]
        assert len(segments) < 10
        names = {path.name.partition(".")[0] for path in folder.iterdir()}
        assert names == {"", "meta", *(one["segment_id"].replace("-", "") for one in segments)}
        assert sum(path.suffix == ".del" for path in folder.iterdir()) == sum(
            one["deletes"] is not None for one in segments
        )


def test_what_failed_to_grow_stays_what_it_was(tmp_path: Path) -> None:
    with FullTextWriter(tmp_path / "0") as writer:
        _add(writer, range(20))
    grown = _grow(tmp_path / "0", tmp_path / "1")

    def fail() -> None:
        with FullTextWriter(grown) as writer:
            writer.remove(range(10))
            _add(writer, range(100, 110))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(FullTextIndex(tmp_path / "0")) == len(FullTextIndex(grown)) == 20
