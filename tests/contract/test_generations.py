"""What is published is served whole or not at all, and what is being read stays until it is let go."""

import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from indexer.errors import NoIndexError
from indexer.folder import IndexFolder
from indexer.generation import Generation, Index
from service.retrieval import SearchQuery, search
from tests.contract.backends import Backend, index_of
from tests.contract.collection import build_edition
from tests.contract.conftest import unique

COUNT = count()


@dataclass
class Editions:
    """An index that is built anew, edition by edition; `published` are their generations, oldest first."""

    backend: Backend
    folder: Path
    name: str
    published: list[str]

    def index(self) -> Index:
        return index_of(self.backend, self.folder, self.name)

    def build(self) -> str:
        """Builds the next edition; the folder's own current generation is that then."""
        self.published.append(build_edition(self.folder, len(self.published)).id)
        return self.published[-1]

    def publish(self) -> Index:
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
    return SearchQuery(query.text, query.limit, mode="dense", group_by=query.group_by, collapse=query.collapse)


@pytest.fixture
def editions(backend: Backend, seed_index: Path, tmp_path: Path) -> Editions:
    """The first edition, published."""
    folder = Path(shutil.copytree(seed_index, tmp_path / "index"))  # whose encoder is taken over
    made = Editions(backend, folder, unique(f"editions-{next(COUNT)}"), [])
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
    for edition in range(1, 3):
        served = editions.publish()
        assert served.current() == editions.published[edition]
        assert served.ids()[-1] == editions.published[edition]
        with served.open_best(pytest.fail) as generation:
            assert editions.tells(generation, edition)


def test_a_generation_that_is_read_stays_as_it_was_when_others_are_published_and_removed(
    editions: Editions,
) -> None:
    with editions.index().open_best(pytest.fail) as first:
        encoder = first.encoder
        served = editions.publish()
        with served.open_best(pytest.fail, encoder=encoder) as second:
            assert second.encoder is encoder
            assert editions.tells(first, 0)
            assert editions.tells(second, 1)
            editions.publish()
            assert editions.tells(first, 0)
            assert editions.tells(second, 1)


def test_a_rollback_serves_the_one_before_again(editions: Editions) -> None:
    served = editions.publish()
    editions.backend.roll_back(editions.folder, editions.name)
    assert served.current() == editions.published[0]
    with served.open_best(pytest.fail) as generation:
        assert editions.tells(generation, 0)
    editions.backend.roll_back(editions.folder, editions.name, editions.published[1])
    assert served.current() == editions.published[1]
    with served.open(editions.published[1]) as generation:
        assert editions.tells(generation, 1)


def test_what_is_removed_is_gone_and_what_is_served_is_not(editions: Editions) -> None:
    editions.publish()
    served = editions.publish()
    editions.backend.collect(editions.folder, editions.name)
    assert served.ids() == IndexFolder(editions.folder).ids() == editions.published[-1:]
    assert served.current() == editions.published[-1]
    with pytest.raises(NoIndexError):
        served.open(editions.published[0])
    with served.open_best(pytest.fail) as generation:
        assert editions.tells(generation, 2)


def test_published_again_it_is_the_same(editions: Editions) -> None:
    assert editions.backend.publish(editions.folder, editions.name) == editions.published[0]
    served = editions.index()
    assert served.current() == editions.published[0]
    with served.open_best(pytest.fail) as generation:
        assert editions.tells(generation, 0)


def test_it_is_all_there_when_what_keeps_it_was_started_again(editions: Editions) -> None:
    editions.publish()
    editions.backend.restart()
    served = editions.index()
    assert served.current() == editions.published[1]
    with served.open_best(pytest.fail) as generation:
        assert editions.tells(generation, 1)
    with served.open(editions.published[0]) as generation:
        assert editions.tells(generation, 0)
