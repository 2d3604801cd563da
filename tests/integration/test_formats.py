"""One file of every format, indexed in one command; each story found by a question, each inspected."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from service.answering import answer
from service.retrieval import SearchQuery, search
from tests.conftest import ROOT
from tests.newsroom import STORIES, record, write_newsroom

FILES = {
    "html": "saved-page",
    "html.gz": "saved-page.gz",
    "pdf": "report",
    "rss": "feed-1",
    "atom": "feed-2",
    "sitemap": "site/bakery-fire.html",
    "warc": "crawl",
    "jsonl": "records",
    "csv": "table",
    "parquet": "columns",
    "md": "notes",
    "txt": "copied",
    "eml": "newsletter",
}


def dateline(folder: Path, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        input=given,
    )


@pytest.fixture(scope="module")
def folder(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the newsroom and the index that one command made of it."""
    folder = tmp_path_factory.mktemp("formats")
    shutil.copytree(seed_index, folder / "index")  # whose encoder is taken over
    write_newsroom(folder / "newsroom")
    given = json.dumps(record(STORIES["stdin"])) + "\n"
    built = dateline(folder, "index", "build", "newsroom", "-", "--json", given=given)
    assert built.returncode == 0, built.stderr
    assert "warning" not in built.stderr
    counts = json.loads(built.stdout)["counts"]
    assert counts["articles"] == len(STORIES)
    assert (counts["skipped"], counts["repeated"], counts["undated"]) == (0, 0, 0)
    return folder


@pytest.fixture(scope="module")
def newsroom(folder: Path) -> Iterator[LocalGeneration]:
    with LocalIndex(IndexFolder(folder / "index")).open_best(pytest.fail) as opened:
        yield opened


@pytest.mark.parametrize("name", STORIES)
def test_the_story_of_each_format_is_found_dated_and_answers_its_question(
    newsroom: LocalGeneration, name: str
) -> None:
    story = STORIES[name]
    hit = search(newsroom, SearchQuery(story.question)).hits[0]
    assert hit.article.title == story.title
    assert str(hit.article.day) == story.day
    assert hit.article.language == "en"
    told = answer(newsroom, SearchQuery(story.question), min_confidence=0)
    assert story.answer in told.text


@pytest.mark.parametrize("name", STORIES)
def test_the_text_of_each_format_is_the_story_and_nothing_else(newsroom: LocalGeneration, name: str) -> None:
    story = STORIES[name]
    (article,) = [
        stored.article for stored in newsroom.corpus.articles() if stored.article.title == story.title
    ]
    assert article.text.split() == story.text.split()


def test_what_each_format_states_is_known(newsroom: LocalGeneration) -> None:
    known = {stored.article.title: stored.article for stored in newsroom.corpus.articles()}
    of = {name: known[story.title] for name, story in STORIES.items()}
    assert {name: article.source for name, article in of.items()} == {
        "html": "The Coast Ledger",
        "html.gz": "The Coast Ledger",
        "pdf": None,
        "rss": "Alderbrook Echo",
        "atom": "Museum Mirror",
        "sitemap": "Harbour Post",
        "warc": "The Coast Ledger",
        "jsonl": "County Wire",
        "csv": "River Post",
        "parquet": "County Wire",
        "md": None,
        "txt": "Wexcombe Gazette",
        "eml": "dairy.example",
        "stdin": "County Wire",
    }
    assert of["html"].author == of["warc"].author == "Wilhelmina Dray"
    assert of["html"].published_at == "2024-03-05T07:15:00+01:00"
    assert of["atom"].published_at == "2024-01-23T10:00:00+01:00"
    assert of["warc"].url == "https://ferry.example/winter"
    assert of["sitemap"].url == "https://post.example/news/bakery-fire"
    assert of["rss"].id == "echo.example/sport/chess"
    assert of["eml"].id == "cheese-market@dairy.example"
    assert {of[name].dated_by for name in ("pdf", "txt")} == {"text"}


def test_inspect_shows_each_file_and_where_its_facts_come_from(folder: Path) -> None:
    files = [f"newsroom/{file}" for file in FILES.values()]
    shown = dateline(folder, "index", "inspect", *files, "newsroom/site", "--limit", "99", "--json")
    assert shown.returncode == 0, shown.stderr
    inspected = {one["article"]["title"]: one for one in map(json.loads, shown.stdout.splitlines())}
    for name, file in FILES.items():
        one = inspected[STORIES[name].title]
        assert one["file"] == f"newsroom/{file}"
        assert {"title", "published"} <= one["found"].keys()
        assert all(passage["tokens"] > 0 for passage in one["passages"])
    assert inspected[STORIES["sitemap"].title]["found"]["published"] == "sitemap"
    assert inspected[STORIES["txt"].title]["found"]["published"] == "date line"
    assert [one["reason"] for one in inspected[STORIES["txt"].title]["removed"]] == [
        "title", "date line", "call to the reader", "copyright line",
    ]  # fmt: skip
    told = dateline(folder, "index", "inspect", "newsroom/copied")
    for words in (STORIES["txt"].title, "2024-04-19", "date line", "tokens", "call to the reader: Read more"):
        assert words in told.stdout
