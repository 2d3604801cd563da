"""An index that is changed step by step is the index that one build of the same articles makes."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.build import Change, Recipe, build
from indexer.folder import IndexFolder, Manifest
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.models import EVERYTHING, Filters
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from service.retrieval import SearchQuery, search
from tests.conftest import Silent

BRIDGE = (
    "The council of Wexcombe voted on Tuesday to build a second bridge over the Tern, at a cost of 3.1 "
    "million crowns. Its chair, Adaeze Thornbury, said: “We have waited for eleven years.” Work begins in "
    "spring and takes until 2027. Fishermen had asked for a ferry instead, which the council found too dear."
)
RECORDS = {
    "bridge": {"text": BRIDGE, "source": "Wire", "published": "2026-03-01"},
    "copy": {"text": BRIDGE + " The vote was close.", "source": "Echo", "published": "2026-03-02"},
    "museum": {
        "text": "The museum has bought a map of the marshes. It shows three villages that the sea took.",
        "source": "Echo",
        "published": "2026-03-05",
    },
    "strike": {
        "text": "Bakers went on strike on Monday. “Nobody lives on this,” said Corin Vale, who leads them.",
        "source": "Post",
        "published": "2026-04-01",
    },
    "lighthouse": {
        "text": "The lighthouse was sold to a painter.",
        "source": "Post",
        "published": "2026-05-01",
    },
    "herring": {"text": "Herring came back to the bay. Boats landed forty tonnes.", "author": "Ann Lee"},
}
QUESTIONS = [
    "Who voted for the bridge?",
    "What did Corin Vale say?",
    "map of the marshes",
    "herring",
    "crowns",
]
FILTERS = [EVERYTHING, Filters(sources=("Echo",)), Filters(authors=("Ann Lee",))]


def changed(index: Path, folder: Path, records: Iterable[str | dict[str, str]], **change: object) -> Manifest:
    """The index after articles were put in, by their names or as they are."""
    file = folder / f"{index.name}-{len(list(folder.iterdir()))}.jsonl"
    lines = [
        json.dumps({"id": one, "title": one, **RECORDS[one]} if isinstance(one, str) else one)
        for one in records
    ]
    file.write_text("\n".join(lines), encoding="utf-8")
    return build(
        IndexFolder(index),
        Change(**{"from_current": True, "offer": Offer((file,) if lines else ()), **change}),  # type: ignore[arg-type]
        Recipe(DEFAULT_MODEL, 200, 2),
        Intake(),
        Silent(),
        keep=9,
        command="test",
    )


def removed(index: Path, folder: Path, *names: str) -> Manifest:
    return changed(index, folder, [], remove=frozenset(names))


@contextmanager
def current(index: Path) -> Iterator[LocalGeneration]:
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as opened:
        yield opened


def found(generation: LocalGeneration) -> list[list[tuple[str, float]]]:
    """The cosines of everything that each question finds, by passage; then what words alone find."""
    every = []
    for question in QUESTIONS:
        for filters in FILTERS:
            asked = SearchQuery(
                question, limit=50, mode="dense", filters=filters, group_by="passage", collapse=False
            )
            hits = search(generation, asked).hits
            every.append(sorted((hit.passage.id, round(float(hit.dense or 0), 3)) for hit in hits))
            hits = search(generation, replace(asked, mode="lexical")).hits
            every.append(sorted((hit.passage.id, 0.0) for hit in hits))
    return every


def known(generation: LocalGeneration) -> dict[str, object]:
    """All that is told of the articles, whichever rows they have."""
    corpus = generation.corpus
    return {
        "articles": sorted((one.article for one in corpus.articles()), key=lambda article: article.id),
        "digest": corpus.digest(),
        "stories": sorted(corpus.stories()),
        "quotes": sorted((one.article.id, one.quotation) for one in corpus.quotations()),
        "speakers": sorted(corpus.speakers()),
        "repeated": sorted((source, sorted(lines)) for source, lines in corpus.repeated_lines()),
        "counts": (corpus.article_count, corpus.passage_count, len(generation.fulltext)),
        "found": found(generation),
    }


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def index(seed_index: Path, tmp_path: Path) -> Path:
    """An index with an encoder, of nothing but the bridge and the strike."""
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    (tmp_path / "articles").mkdir()
    changed(index, tmp_path / "articles", ["bridge", "strike"], from_current=False)
    return index


def test_changes_lead_where_one_build_leads(index: Path, tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    changed(index, articles, ["lighthouse", "museum"])
    changed(index, articles, ["copy"])
    removed(index, articles, "strike")
    changed(
        index, articles, ["herring", {"id": "museum", "title": "museum", "text": "The museum is closed."}]
    )
    changed(index, articles, ["strike", "museum"])
    whole = Path(shutil.copytree(index, tmp_path / "whole"))
    changed(whole, articles, RECORDS, from_current=False)
    with current(index) as step_by_step, current(whole) as at_once:
        assert step_by_step.corpus.passage_rows > step_by_step.corpus.passage_count
        assert at_once.corpus.passage_rows == at_once.corpus.passage_count
        assert known(step_by_step) == known(at_once)
        # Every row's vector is that of its text, in both.
        for generation in (step_by_step, at_once):
            rows = [row for row, _ in generation.corpus.digests()]
            texts = [passage.text for passage, _ in generation.corpus.read(rows)]
            stored = generation.vectors.vectors(np.array(rows))
            exact = generation.encoder.encode_passages(texts)
            assert (stored * exact).sum(axis=1).min() > 0.6  # the title is encoded as well
        assert step_by_step.tokens
        assert at_once.tokens
        by_digest = {digest: row for row, digest in at_once.corpus.digests()}
        for row, digest in step_by_step.corpus.digests():
            ours, theirs = step_by_step.tokens.codes(row), at_once.tokens.codes(by_digest[digest])
            assert (ours == theirs).mean() > 0.99  # batches of other shapes round otherwise


def test_a_change_shares_what_it_leaves_and_touches_nothing_of_it(index: Path, tmp_path: Path) -> None:
    folder = IndexFolder(index)
    before = folder.current() or ""
    content = files(folder.generation(before))
    with LocalGeneration(folder, before) as opened:
        told = known(opened)
    after = changed(index, tmp_path / "articles", ["museum", "copy"])
    assert after.counts["encoded"] == 2
    for name in after.files:
        if name.startswith(("encoder/", "tokens/000001", "vectors/000001")):
            assert (folder.generation(before) / name).samefile(folder.generation(after.id) / name)
    removed(index, tmp_path / "articles", "bridge")
    assert files(folder.generation(before)) == content
    folder.verify(before)
    folder.roll_back(before, "test")
    with current(index) as opened:
        assert opened.id == before
        assert known(opened) == told


def test_an_update_encodes_only_what_it_says_anew(index: Path, tmp_path: Path) -> None:
    paragraphs = [f"Of {number} {BRIDGE}" for number in range(12)]
    long = {"id": "long", "title": "Long", "text": "\n\n".join(paragraphs)}
    first = changed(index, tmp_path / "articles", [long])
    last = {**long, "text": "\n\n".join([*paragraphs[:-1], paragraphs[-1].replace("Tuesday", "Friday")])}
    second = changed(index, tmp_path / "articles", [last])
    assert second.counts["passages"] == first.counts["passages"]
    assert 0 < second.counts["encoded"] < first.counts["encoded"] / 2


def test_a_story_that_loses_its_first_copy_begins_with_the_next(index: Path, tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    changed(index, articles, ["copy", {"id": "third", "title": "third", **RECORDS["copy"], "source": "Post"}])
    with current(index) as opened:
        assert list(opened.corpus.stories()) == [["bridge", "copy", "third"]]
    removed(index, articles, "bridge")
    with current(index) as opened:
        assert list(opened.corpus.stories()) == [["copy", "third"]]
    removed(index, articles, "third")
    with current(index) as opened:
        assert list(opened.corpus.stories()) == []
        assert opened.manifest.counts["stories_with_copies"] == 0


def test_a_row_is_never_given_twice(index: Path, tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    changed(index, articles, ["museum", "herring", "lighthouse"])
    with current(index) as opened:
        rows = opened.corpus.passage_rows
    removed(index, articles, "lighthouse")
    changed(index, articles, [{"id": "new", "title": "New", "text": "Frogs were counted in the park."}])
    with current(index) as opened:
        assert opened.corpus.passage_rows == rows + 1
        hits = search(opened, SearchQuery("Frogs were counted in the park.", limit=3)).hits
        assert hits[0].article.id == "new"
        assert all(hit.article.id != "lighthouse" for hit in hits)


def test_what_is_mostly_gone_is_written_anew(index: Path, tmp_path: Path) -> None:
    articles = tmp_path / "articles"
    changed(index, articles, ["museum", "herring"])
    removed(index, articles, "bridge", "strike")
    with current(index) as opened:
        assert opened.corpus.passage_rows > opened.corpus.passage_count
    after = changed(index, articles, ["lighthouse"])
    assert after.counts["encoded"] == 1
    with current(index) as opened:
        assert opened.corpus.passage_rows == opened.corpus.passage_count == after.counts["passages"]
        assert {one.article.id for one in opened.corpus.articles()} == {"museum", "herring", "lighthouse"}


def test_a_change_that_changes_nothing_leads_to_the_same(index: Path, tmp_path: Path) -> None:
    with current(index) as opened:
        told = known(opened)
    after = changed(index, tmp_path / "articles", ["strike", "bridge"])
    assert after.counts["encoded"] == 0
    with current(index) as opened:
        assert opened.id == after.id
        assert known(opened) == told
