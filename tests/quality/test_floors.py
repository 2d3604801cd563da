"""Search and answers over the sample stay as good as they are: floors a little below what is measured."""

from typing import NamedTuple

import pytest

from indexer.local.generation import LocalGeneration
from indexer.reader import BUNDLED, NONE, Reader, locate
from service.evaluation import Answered, Judged, measure, rank, read_judged, summed_up, try_answers
from service.retrieval import SearchQuery
from service.settings import Settings
from tests.conftest import QUESTIONS

ASKED = SearchQuery("")
MIN_CONFIDENCE = float(Settings.model_fields["min_confidence"].default)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return read_judged(QUESTIONS, tmp_path_factory.mktemp("work") / "none")


class Floors(NamedTuple):
    """Of questions answered with a reader of this name."""

    reader: str
    first: float
    any: float
    precision: float
    auroc: float
    answered: float


@pytest.fixture(
    scope="module",
    params=[Floors(NONE, 0.40, 0.64, 0.21, 0.80, 0.29), Floors(BUNDLED, 0.47, 0.64, 0.25, 0.82, 0.34)],
)
def floors(request: pytest.FixtureRequest) -> Floors:
    found: Floors = request.param
    return found


@pytest.fixture(scope="module")
def answered(generation: LocalGeneration, judged: Judged, floors: Floors) -> Answered:
    reader = None if floors.reader == NONE else Reader(locate(floors.reader))
    tried = try_answers(generation, judged.questions, ASKED, reader=reader)
    return summed_up(tried, threshold=MIN_CONFIDENCE)


def test_the_questions_are_of_both_kinds_and_judged_by_articles_that_there_are(
    generation: LocalGeneration, judged: Judged
) -> None:
    assert len([one for one in judged.questions if one.answers]) == 40
    assert len([one for one in judged.questions if not one.answers]) == 24
    assert {one.id for one in judged.questions if one.answers} <= judged.qrels.keys()
    for question in judged.questions:
        articles = [generation.corpus.article(name) for name in judged.qrels.get(question.id, {})]
        assert all(articles)
        if question.answers:
            assert any(answer in one.text for answer in question.answers for one in articles if one)


def test_search_puts_the_judged_articles_first(generation: LocalGeneration, judged: Judged) -> None:
    means = measure(judged.qrels, rank(generation, judged, ASKED).run)
    assert means["nDCG@10"] >= 0.87
    assert means["R@100"] >= 0.97


def test_every_quote_is_its_articles_text(answered: Answered) -> None:
    assert answered.verbatim == 1.0


def test_answers_stand_in_what_is_quoted(answered: Answered, floors: Floors) -> None:
    assert answered.first is not None
    assert answered.first >= floors.first
    assert answered.any is not None
    assert answered.any >= floors.any
    assert answered.quote_precision is not None
    assert answered.quote_precision >= floors.precision


def test_confidence_tells_the_answerable_from_the_unanswerable(answered: Answered, floors: Floors) -> None:
    assert answered.auroc is not None
    assert answered.auroc >= floors.auroc
    assert answered.answered is not None
    assert answered.answered >= floors.answered
    assert answered.wrongly is not None
    assert answered.wrongly <= 0.08
