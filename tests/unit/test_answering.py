"""Questions with an answer get it in the article's own words; the others get silence."""

from dataclasses import dataclass

import numpy as np
import pytest

from indexer.generation import Generation
from indexer.models import EVERYTHING, Filters
from service.answering import NO_ANSWER, Answer, answer, choose, confidence, weigh
from service.asking import understand
from service.evaluation import read_judged
from service.retrieval import SearchQuery, search
from service.settings import Settings
from tests.conftest import QUESTIONS, SEED_ID

MIN_CONFIDENCE = float(Settings.model_fields["min_confidence"].default)
RESCORED = int(Settings.model_fields["rescored_passages"].default)


@dataclass(frozen=True)
class Judged:
    """A question, what is known to answer it (nothing where nothing does), and what was answered."""

    question: str
    wanted: tuple[str, ...]
    got: Answer

    @property
    def quotes(self) -> list[str]:
        return [citation.quote.text for citation in self.got.proof.citations]


def ask(
    generation: Generation,
    question: str,
    *,
    min_confidence: float = MIN_CONFIDENCE,
    filters: Filters = EVERYTHING,
) -> Answer:
    """As the service answers: understood first."""
    query = SearchQuery(question, filters=filters, rescored=RESCORED)
    return answer(generation, understand(generation, query).query, min_confidence=min_confidence)


@pytest.fixture(scope="module")
def judged(generation: Generation, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    questions = read_judged(QUESTIONS, tmp_path_factory.mktemp("work")).questions
    return [Judged(one.text, one.answers, ask(generation, one.text)) for one in questions]


def test_the_seed_question_is_answered_in_the_words_of_the_article(generation: Generation) -> None:
    got = ask(generation, "What does Gabuev expect from military cooperation?")
    assert got.status == "answered"
    first = got.proof.citations[0].quote
    assert first.article_id == SEED_ID
    assert first.text.startswith("Gabuev stated, \"I don't expect")
    assert "closer military cooperation" in first.text
    assert got.text.startswith(f"{first.text} [1]")


def test_every_quote_stands_in_its_article_and_passage(generation: Generation, judged: list[Judged]) -> None:
    passages = {
        passage.id: passage
        for passage, _ in generation.corpus.read(list(range(generation.corpus.passage_count)))
    }
    quotes = [citation.quote for one in judged for citation in one.got.proof.citations]
    assert len(quotes) > 20
    for quote in quotes:
        article = generation.corpus.article(quote.article_id)
        assert article is not None
        assert article.text[quote.place.start : quote.place.end] == quote.text
        passage = passages[quote.passage_id]
        assert passage.start <= quote.place.start < quote.place.end <= passage.end


def test_an_answer_is_made_of_quotes_alone(judged: list[Judged]) -> None:
    for one in judged:
        if one.got.status == "answered":
            numbers = [citation.number for citation in one.got.proof.citations]
            parts = [f"{quote} [{number}]" for quote, number in zip(one.quotes, numbers, strict=True)]
            assert one.got.text == "\n\n".join(parts)
            assert 1 <= len(parts) <= 3
            assert one.got.nearest == ()


def test_without_an_answer_nothing_is_claimed_and_the_nearest_are_shown(judged: list[Judged]) -> None:
    silent = [one.got for one in judged if one.got.status == "no_answer"]
    assert silent
    for got in silent:
        assert got.text == NO_ANSWER
        assert got.proof.text == ""
        assert got.proof.citations == ()
        assert 1 <= len(got.nearest) <= 3


@pytest.mark.parametrize(
    "question",
    [
        "How do I bake sourdough bread?",
        "What is the capital of Mongolia?",
        "Who won the 1998 World Cup final?",
        "asdf qwer zxcv",
        "?!",
        "What did he say?",
    ],
)
def test_a_question_off_the_subject_gets_no_answer(generation: Generation, question: str) -> None:
    got = ask(generation, question)
    assert got.status == "no_answer"
    assert got.confidence < MIN_CONFIDENCE
    assert got.nearest


def test_confidence_decides_at_the_threshold(generation: Generation) -> None:
    question = "What does Gabuev expect from military cooperation?"
    sure = ask(generation, question).confidence
    assert ask(generation, question, min_confidence=sure - 0.01).status == "answered"
    assert ask(generation, question, min_confidence=sure + 0.01).status == "no_answer"
    assert ask(generation, "How do I bake sourdough bread?", min_confidence=0.0).status == "answered"


def test_filters_bind_the_answer_too(generation: Generation) -> None:
    filters = Filters(sources=("Northgate Tribune",))
    got = ask(generation, "How did the council vote on the bridge?", filters=filters, min_confidence=0.0)
    assert got.proof.sources
    assert {source.source for source in got.proof.sources} == {"Northgate Tribune"}


def test_where_nothing_passes_the_filters_nothing_is_shown(generation: Generation) -> None:
    nobody = Filters(sources=("Nobody",))
    got = ask(generation, "How did the council vote?", filters=nobody, min_confidence=0.0)
    assert (got.status, got.nearest, got.text) == ("no_answer", (), NO_ANSWER)


@pytest.mark.parametrize("question", ["What will the bridge cost?", "What does Gabuev expect?"])
def test_sentences_are_weighed_within_bounds_the_best_first(generation: Generation, question: str) -> None:
    query = understand(generation, SearchQuery(question, limit=6, group_by="passage")).query
    hits = search(generation, query).hits
    candidates = weigh(generation, query, hits)
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len({(candidate.hit.article.id, candidate.place) for candidate in candidates}) == len(candidates)
    for candidate in candidates:
        assert 0 <= candidate.overlap <= 1 + 1e-9
        assert 0 <= candidate.passage_overlap <= 1 + 1e-9
        assert -1.001 <= candidate.match <= 1.001
        assert candidate.hit.article.text[slice(*candidate.place)] == candidate.text
        passage = candidate.hit.passage
        assert passage.start <= candidate.place.start < candidate.place.end <= passage.end
        if candidate.before:
            between = candidate.hit.article.text[candidate.before.end : candidate.place.start]
            assert between.strip() == ""
            assert "\n" not in between
    assert choose(candidates)[0].hit == candidates[0].hit
    assert 0 < confidence(candidates) < 1


def test_nothing_found_gives_no_confidence() -> None:
    assert choose([]) == []
    assert confidence([]) < 0.01


def test_most_questions_with_an_answer_are_answered(judged: list[Judged]) -> None:
    assert np.mean([one.got.status == "answered" for one in judged if one.wanted]) >= 0.60


def test_few_questions_without_an_answer_are_answered(judged: list[Judged]) -> None:
    assert np.mean([one.got.status == "answered" for one in judged if not one.wanted]) <= 0.20


def test_the_answer_stands_in_what_is_quoted(judged: list[Judged]) -> None:
    held = [
        any(wanted.lower() in quote.lower() for quote in one.quotes for wanted in one.wanted)
        for one in judged
        if one.wanted
    ]
    assert np.mean(held) >= 0.40
    answered = [
        hold
        for hold, one in zip(held, (one for one in judged if one.wanted), strict=True)
        if one.got.status == "answered"
    ]
    assert np.mean(answered) >= 0.60
