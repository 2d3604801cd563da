"""Replicas serve from a copy of what they read of an index: deploy/kubernetes/base/share.sh makes it."""

import subprocess
from pathlib import Path

import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from service.retrieval import SearchQuery, search
from tests.conftest import ROOT
from tests.contract.backends import Milvus, index_of
from tests.contract.collection import build_edition
from tests.contract.conftest import unique

SHARE = ROOT / "deploy/kubernetes/base/share.sh"


def test_a_copy_serves_what_was_shared_last_whatever_is_published(milvus: Milvus, tmp_path: Path) -> None:
    index, shared, name = tmp_path / "index", tmp_path / "shared", unique("shared")
    shared.mkdir()

    def publish(edition: int) -> str:
        build_edition(index, edition)
        return milvus.publish(index, name)

    def share() -> None:
        subprocess.run(["/bin/sh", SHARE, index, shared], check=True)

    query = SearchQuery("How many boats were at the quay?", mode="hybrid" if milvus.words else "dense")
    first = publish(0)
    share()
    second = publish(1)
    refused: list[str] = []
    with index_of(milvus, shared, name).open_best(refused.append) as served:
        assert served.id == first
        assert search(served, query).hits
    assert second in refused[0]
    share()
    with (
        index_of(milvus, shared, name).open_best(pytest.fail) as served,
        LocalIndex(IndexFolder(index)).open_best(pytest.fail, loaded=served.models) as local,
    ):
        assert served.id == second
        found = [hit.passage.text for hit in search(served, query).hits]
        assert found == [hit.passage.text for hit in search(local, query).hits] != []
