"""Backups: what an index finds after it was exported and imported elsewhere."""

import io
import json
from collections.abc import Callable
from pathlib import Path

from indexer.archive import export, restore
from indexer.folder import IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from service.retrieval import SearchQuery, search
from tests.conftest import QUESTIONS
from tests.torture.conftest import Tries

_OF_SENTENCES = 24  # characters of the shortest that is asked


def _questions(generation: LocalGeneration) -> list[str]:
    """The judged questions over seeds/, and sentences from every article, the first ones first."""
    lines = (QUESTIONS / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    judged = [json.loads(line)["text"] for line in lines]
    texts = [article.text for _, article in generation.corpus.read(range(generation.corpus.passage_rows))]
    told = [[part.strip() for part in text.split(".")] for text in dict.fromkeys(texts)]
    longest = max(map(len, told))
    made = [parts[at] for at in range(longest) for parts in told if at < len(parts)]
    return judged + [one for one in dict.fromkeys(made) if _OF_SENTENCES <= len(one) <= 1000]


def test_an_imported_index_finds_the_same(
    seed_index: Path, tmp_path: Path, tries: Tries, tell: Callable[[str], None]
) -> None:
    archive = io.BytesIO()
    export(IndexFolder(seed_index), archive)
    archive.seek(0)
    restore(IndexFolder(tmp_path / "there"), archive, "seeds", keep=5, command="test")
    with (
        LocalIndex(IndexFolder(seed_index)).open_best(_refuse) as here,
        LocalIndex(IndexFolder(tmp_path / "there")).open_best(_refuse) as there,
    ):
        asked = _questions(here)[: tries(20, of=200)]
        assert len(asked) == tries(20, of=200)
        for question in asked:
            first, second = (
                [(hit.passage.id, hit.score) for hit in search(one, SearchQuery(question)).hits]
                for one in (here, there)
            )
            assert first == second, question
            assert first
    tell(f"{len(asked)} questions with the same ten best, to the last digit of their scores")


def _refuse(reason: str) -> None:
    raise AssertionError(reason)
