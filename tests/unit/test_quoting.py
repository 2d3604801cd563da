"""The quotations of a collection, as answers ask for them."""

import pytest

from indexer.errors import UsageError
from indexer.generation import Generation
from service import quoting
from service.quoting import QuotesQuery, quotes, said_by
from tests.conftest import SEED_ID


def test_a_speakers_words_in_some_articles(generation: Generation) -> None:
    said = said_by(generation.corpus, "Gabuev", [SEED_ID, "sample/harbour-courier/bridge-cost", "unknown"])
    assert list(said) == [SEED_ID]
    article = generation.corpus.article(SEED_ID)
    assert article is not None
    assert any(article.text[slice(*one.place)].startswith("I don't expect") for one in said[SEED_ID])
    assert said_by(generation.corpus, "Nobody", [SEED_ID]) == {}


def test_nothing_is_asked_of_nobody() -> None:
    with pytest.raises(UsageError, match="say who"):
        QuotesQuery()


def test_the_same_words_of_two_copies_come_once(generation: Generation) -> None:
    hits = quotes(generation, QuotesQuery(topic="storm", limit=100)).hits
    said = [(hit.quotation.speaker, hit.quote.text) for hit in hits]
    assert len(said) == len(set(said))


def test_what_the_article_does_not_hold_is_dropped(
    generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quotes(generation, QuotesQuery("Gabuev")).hits
    monkeypatch.setattr(quoting, "holder", lambda *_: None)
    assert quotes(generation, QuotesQuery("Gabuev")).hits == []
    assert quotes(generation, QuotesQuery("Gabuev", topic="Russia")).hits == []
