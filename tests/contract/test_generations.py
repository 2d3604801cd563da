"""What is published is served whole or not at all, and what is being read stays until it is let go."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest

from indexer.errors import NoIndexError
from indexer.folder import IndexFolder
from indexer.generation import Generation, Index, Models
from indexer.local.generation import LocalGeneration
from indexer.milvus import schema
from indexer.milvus.connection import Connection
from indexer.publishing import Publisher
from service.retrieval import SearchQuery, search
from tests.conftest import Silent
from tests.contract.backends import COMMAND, Backend, Milvus, index_of
from tests.contract.collection import build_edition
from tests.contract.conftest import Tell, unique, until

COUNT = count()
T = TypeVar("T")


@dataclass
class Editions:
    """An index that is built anew, edition by edition; `published` are their generations, oldest first;
    `models` are what all of them have."""

    backend: Backend
    folder: Path
    name: str
    models: Models
    published: list[str]

    def index(self) -> Index[Generation]:
        return index_of(self.backend, self.folder, self.name)

    def build(self) -> str:
        """Builds the next edition; the folder's own current generation is that then."""
        self.published.append(build_edition(self.folder, len(self.published)).id)
        return self.published[-1]

    def publish(self) -> Index[Generation]:
        """Builds the next edition and publishes it."""
        built = self.build()
        assert self.backend.publish(self.folder, self.name) == built
        return self.index()

    def tells(self, generation: Generation, edition: int) -> bool:
        """Whether a generation is that of an edition throughout, whatever it is asked."""
        corpus = generation.corpus
        expected = [f"edition-{edition}-{article}" for article in range(6)]
        query = SearchQuery("How many boats were at the quay?", limit=50, group_by="passage", collapse=False)
        hits = search(generation, query if self.backend.words else dense(query)).hits
        return (
            generation.id == self.published[edition]
            and [stored.article.id for stored in corpus.articles()] == expected
            and sorted(hit.article.id for hit in hits) == expected
            and all(f"In edition {edition} " in hit.passage.text for hit in hits)
            and corpus.article_count == corpus.passage_count == len(expected)
        )


def dense(query: SearchQuery) -> SearchQuery:
    return SearchQuery(
        query.text, query.limit, mode="dense", group_by=query.group_by, collapse=query.collapse
    )


@pytest.fixture
def editions(backend: Backend, editions_folder: Path, generation: LocalGeneration) -> Editions:
    """The first edition, published."""
    made = Editions(backend, editions_folder, unique(f"editions-{next(COUNT)}"), generation.models, [])
    made.publish()
    return made


def test_where_nothing_was_published_there_is_no_index(backend: Backend, tmp_path: Path) -> None:
    served = index_of(backend, tmp_path / "none", unique("none"))
    assert served.ids() == []
    assert served.current() is None
    with pytest.raises(NoIndexError):
        served.open_best(pytest.fail)
    with pytest.raises(NoIndexError):
        served.open("000001-00000000")


def test_what_is_published_is_served_at_once_and_whole(editions: Editions) -> None:
    served = editions.publish()
    assert served.current() == editions.published[1]
    assert served.ids()[-2:] == editions.published
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 1)


def test_a_generation_that_is_read_stays_as_it_was_when_others_are_published_and_removed(
    editions: Editions,
) -> None:
    with editions.index().open_best(pytest.fail, loaded=editions.models) as first:
        served = editions.publish()
        with served.open_best(pytest.fail, loaded=first.models) as second:
            assert second.encoder is first.encoder is editions.models.encoder
            assert editions.tells(first, 0)
            assert editions.tells(second, 1)
            editions.publish()
            assert editions.tells(first, 0)
            assert editions.tells(second, 1)


def test_a_rollback_serves_the_one_before_again(editions: Editions) -> None:
    served = editions.publish()
    editions.index().roll_back(None, COMMAND)
    assert served.current() == editions.published[0]
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 0)
    editions.index().roll_back(editions.published[1], COMMAND)
    assert served.current() == editions.published[1]
    with served.open(editions.published[1], loaded=editions.models) as generation:
        assert editions.tells(generation, 1)


def test_what_is_removed_is_gone_and_what_is_served_is_not(editions: Editions) -> None:
    editions.publish()
    served = editions.publish()
    editions.backend.collect(editions.folder, editions.name)
    assert served.ids() == IndexFolder(editions.folder).ids() == editions.published[-1:]
    assert served.current() == editions.published[-1]
    with pytest.raises(NoIndexError):
        served.open(editions.published[0])
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 2)


def test_published_again_it_is_the_same(editions: Editions) -> None:
    assert editions.backend.publish(editions.folder, editions.name) == editions.published[0]
    served = editions.index()
    assert served.current() == editions.published[0]
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 0)


def test_it_is_all_there_when_what_keeps_it_was_started_again(editions: Editions) -> None:
    editions.publish()
    editions.backend.restart()
    served = editions.index()
    assert served.current() == editions.published[1]
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 1)
    with served.open(editions.published[0], loaded=editions.models) as generation:
        assert editions.tells(generation, 0)


# What is published in many steps, of which any may be the last.


class CutOffError(Exception):
    """The end of a publishing process."""


class CutOff(Connection):
    """A Milvus that is no longer written to after so many steps."""

    def __init__(self, milvus: Milvus, steps: int) -> None:
        super().__init__(milvus.uri, token=milvus.token, timeout_s=30)
        self._left = steps

    def _write(self, ask: Callable[[Any], T]) -> T:
        if not self._left:
            raise CutOffError
        self._left -= 1
        return super()._write(ask)


def test_what_is_published_in_part_is_never_served_and_goes_on_where_it_was_cut_off(
    milvus: Milvus, editions: Editions, tell: Tell
) -> None:
    """After no step, then after one more each time, until none is left."""
    editions.build()
    served = editions.index()
    for steps in count():
        connection = CutOff(milvus, steps)
        try:
            Publisher(IndexFolder(editions.folder), connection, editions.name).publish(
                Silent(), command="a test", keep=5
            )
        except CutOffError:
            assert served.current() == editions.published[0]
            with served.open_best(pytest.fail, loaded=editions.models) as generation:
                assert editions.tells(generation, 0)
        else:
            break
        finally:
            connection.close()
    assert served.current() == editions.published[1]
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 1)
    tell(f"cut off after none to {steps - 1} steps, the old one served each time")
    assert steps > 5


@pytest.mark.parametrize("part", ["passages", "articles"])
def test_what_has_lost_something_is_refused_and_made_whole_by_publishing_it_again(
    milvus: Milvus, editions: Editions, part: str
) -> None:
    served = editions.publish()
    with milvus.client() as client:
        lost = schema.collection_of(schema.alias_of(editions.name), editions.published[1], part)
        client.delete(lost, filter={"passages": "row >= 0", "articles": "piece == 0"}[part])
    refused: list[str] = []

    def falls_back() -> bool:
        refused.clear()
        with served.open_best(refused.append, loaded=editions.models) as generation:
            return editions.tells(generation, 0)

    until(falls_back, within_s=60)
    assert "run: dateline index publish" in refused[0]
    milvus.publish(editions.folder, editions.name)
    with served.open_best(pytest.fail, loaded=editions.models) as generation:
        assert editions.tells(generation, 1)
