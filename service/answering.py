"""Which sentences answer a question, how sure that is, and when to say nothing."""

import math
import time
from dataclasses import dataclass
from typing import Literal

from indexer.generation import Generation
from indexer.models import Filters, Span
from indexer.passages import encoded_text, sentences
from service.evidence import Proof, Quote, prove
from service.retrieval import Hit, SearchQuery, overlap, search

NO_ANSWER = "The articles do not tell."
_PASSAGES = 6  # read for an answer
_SENTENCES = 3  # quoted at most
_FEWEST_WORDS = 4  # of a sentence that can answer something
_NEAREST = 3  # passages shown with no_answer
_MODEL = "extractive"
_FIT_COSINE, _FIT_OVERLAP, _FIT_INTERCEPT = 3.3, 7.0, -6.4


@dataclass(frozen=True, slots=True)
class Answer:
    """`proof` holds the text and its citations; with `no_answer` it is empty and `nearest` is not
    (unless nothing at all was found). `confidence` is in [0, 1]."""

    status: Literal["answered", "no_answer"]
    proof: Proof
    confidence: float
    nearest: tuple[Hit, ...]
    retrieve_ms: float
    answer_ms: float
    model: str = _MODEL

    @property
    def text(self) -> str:
        return self.proof.text if self.status == "answered" else NO_ANSWER


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer: `cosine` of sentence and title to the question, and the share of
    the question's content, weighed by rarity, that the sentence and its passage have words of."""

    hit: Hit
    place: Span
    text: str
    cosine: float
    overlap: float
    passage_overlap: float

    @property
    def score(self) -> float:
        # Weights of bench/answers.py: of ten tried, those best on both of its sets.
        return 0.4 * self.cosine + 0.3 * self.overlap + 0.3 * self.passage_overlap + 0.1 * self.hit.score


def answer(generation: Generation, question: str, filters: Filters, *, min_confidence: float) -> Answer:
    """Up to three verbatim sentences that answer the question, each proven; or `no_answer`."""
    started = time.perf_counter()
    query = SearchQuery(question, limit=_PASSAGES, filters=filters, group_by="passage")
    hits = search(generation, query).hits
    retrieved = time.perf_counter()
    candidates = weigh(generation, question, hits)
    sure = confidence(candidates)
    chosen = choose(candidates) if sure >= min_confidence else []
    proof = prove(generation.corpus, [_quote(candidate) for candidate in chosen])
    done = time.perf_counter()
    return Answer(
        status="answered" if proof.citations else "no_answer",
        proof=proof,
        confidence=sure,
        nearest=() if proof.citations else tuple(hits[:_NEAREST]),
        retrieve_ms=(retrieved - started) * 1000,
        answer_ms=(done - retrieved) * 1000,
    )


def weigh(generation: Generation, question: str, hits: list[Hit]) -> list[Candidate]:
    """Every sentence of the hits, the most promising first."""
    found = [
        (hit, Span(hit.passage.start + span.start, hit.passage.start + span.end))
        for hit in hits
        for span in sentences(hit.passage.text, hit.article.language)
        if len(hit.passage.text[span.start : span.end].split()) >= _FEWEST_WORDS
    ]
    if not found:
        return []
    texts = [hit.article.text[place.start : place.end] for hit, place in found]
    (asked,) = generation.encoder.encode_queries([question])
    # Encoded as passages are, with the title: "He said it would rise" alone says too little.
    cosines = (
        generation.encoder.encode_passages([encoded_text(hit.article, place) for hit, place in found]) @ asked
    )
    weights = {term: generation.fulltext.rarity(term) for term in generation.fulltext.content_terms(question)}
    overlaps = {
        hit.passage.id: overlap(generation, weights, encoded_text(hit.article, hit.passage.span))
        for hit in hits
    }
    candidates = [
        Candidate(
            hit, place, text, float(cosine), overlap(generation, weights, text), overlaps[hit.passage.id]
        )
        for (hit, place), text, cosine in zip(found, texts, cosines, strict=True)
    ]
    return sorted(candidates, key=lambda candidate: -candidate.score)


def confidence(candidates: list[Candidate]) -> float:
    """How likely the articles answer the question, in [0, 1].

    A logistic fit of bench/answers.py, in which answerable and unanswerable questions weigh alike.
    """
    cosine = max((candidate.cosine for candidate in candidates), default=0.0)
    overlap = max((candidate.passage_overlap for candidate in candidates), default=0.0)
    return 1 / (1 + math.exp(-(_FIT_COSINE * cosine + _FIT_OVERLAP * overlap + _FIT_INTERCEPT)))


def choose(candidates: list[Candidate]) -> list[Candidate]:
    """The best sentence, and those near to it that say something else."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        if candidate.score < 0.8 * candidates[0].score or len(chosen) == _SENTENCES:
            break
        words = _words(candidate)
        if all(len(words & _words(other)) < 0.6 * min(len(words), len(_words(other))) for other in chosen):
            chosen.append(candidate)
    return chosen


def _words(candidate: Candidate) -> set[str]:
    return set(candidate.text.lower().split())


def _quote(candidate: Candidate) -> Quote:
    passage = candidate.hit.passage
    return Quote(passage.article_id, passage.id, candidate.place, candidate.text)
