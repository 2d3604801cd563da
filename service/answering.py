"""Which sentences answer a question, how sure that is, and when to say nothing."""

import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, takewhile
from typing import Literal

import numpy as np
import numpy.typing as npt

from indexer.generation import Generation
from indexer.models import Span
from indexer.passages import encoded_text, sentences
from indexer.reader import Reader, Reading
from indexer.words import content_terms
from service.evidence import Proof, Quote, Statement, prove
from service.quoting import said_by
from service.retrieval import Hit, SearchQuery, overlap, search
from service.watching.tracing import stage

NO_ANSWER = "The articles do not tell."
EXTRACTIVE = "extractive"
_PASSAGES = 6  # read for an answer
_SENTENCES = 3  # quoted at most
_MOST_WORDS = 80  # quoted at most, but for a first sentence that is longer
_FEWEST_WORDS = 4  # of a sentence that can answer something
_NEAR_BEST, _NEAR_BEST_READ = 0.7, 0.6  # of the best sentence's score, for another to be quoted beside it
_REPEATED = 0.6  # of a sentence's words, for another to say the same
_READ_PASSAGES = 3  # those of the most promising sentences; all six take twice the time and gain .01
_READ = 0.3  # the weight of a reader; from .2 to .5 it makes little difference
_READ_SLOPE = 6.0  # logits
# What it counts that other sentences are read as answering with words of this one (Clarke, Cormack and Lynam,
# "Exploiting redundancy in question answering", SIGIR 2001); from .5 to .8 it makes no difference. A sentence
# that scores so much less has an e-th of the say.
_AGREED, _SAY = 0.6, 0.2
# How sure an answer is that was read for: by the log odds that it has without, those of the best reading, and
# this, by which as many unanswerable questions reach the default threshold as without. What somebody says of
# something is seldom a few words: where that is asked for, a reading tells little, and marks nothing.
_READ_INTERCEPT = -0.75
_MOST_ODDS = 20.0  # of a reading that count, as a logarithm
_MARKED_FROM = 1.0  # log odds of a reading, for its words to be marked: six in ten are right, over news
_SAID = 0.2  # what it counts that a sentence has the words of whoever is asked about
_NEAREST = 3  # passages shown with no_answer
_FIT_MATCH, _FIT_OVERLAP, _FIT_SAID, _FIT_INTERCEPT = 10.0, 3.7, 1.0, -8.0
_UNDATED = datetime.min.replace(tzinfo=UTC)
# A sentence that begins so says whom or what it speaks of in the one before.
_LEANS = re.compile(r"[\"'“‘]?(?:He|She|They|It|This|That|These|Those|His|Her|Their|Its)\b", re.ASCII)
_WHICH = re.compile(r"\b(?:which|what)((?: +[\w'’-]+){1,4})", re.IGNORECASE)
_BORROWED = 0.5  # of what the one before has over a sentence that leans on it
_WORD = re.compile(r"\w+")
_QUESTION = re.compile(r"\?[\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class Answer:
    """`proof` holds the text and its citations; with `no_answer` it is empty. `read` are the passages
    that were read for it. `confidence` is in [0, 1]. `model` chose the words, and did not get to its end
    where the answer is `degraded`."""

    status: Literal["answered", "no_answer"]
    proof: Proof
    confidence: float
    read: tuple[Hit, ...]
    retrieve_ms: float
    answer_ms: float
    model: str = EXTRACTIVE
    degraded: bool = False

    @property
    def nearest(self) -> tuple[Hit, ...]:
        """What comes nearest, where the articles do not tell."""
        return self.read[:_NEAREST] if self.status == "no_answer" else ()

    @property
    def text(self) -> str:
        return self.proof.text if self.status == "answered" else NO_ANSWER


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that may answer. `match`: how well the sentence, with its article's title, meets each of the
    question's tokens on average, in [-1, 1]. `overlap` and `passage_overlap`: the share of the question's
    content, weighed by rarity, that the sentence and its passage have words of. `said`: whether it has the
    words of the speaker who is asked about; `read`, in [-1, 0], how far a reader's best answer in it is below
    the best of all, -1 where it was not read; `agreed`, in [0, 1], how much of what the others are read as
    answering it has the words of; `words`, where its own best answer stands, if it is a likely one.
    `leans_on` is the sentence before it in its passage, where it cannot be understood without; `borrowed` is
    what that one adds to its score."""

    hit: Hit
    place: Span
    match: float
    overlap: float
    passage_overlap: float
    said: bool = False
    leans_on: Span | None = None
    borrowed: float = 0.0
    read: float = 0.0
    agreed: float = 0.0
    words: Span | None = None

    @property
    def text(self) -> str:
        return self.hit.article.text[slice(*self.place)]

    @property
    def score(self) -> float:
        # Fitted to the sentences that answer 27,000 questions about other texts, then rounded.
        parts = self.match + 0.3 * self.overlap + 0.3 * self.passage_overlap + 0.1 * self.hit.score
        return parts + _SAID * self.said + self.borrowed + _READ * self.read + _AGREED * self.agreed


def answer(
    generation: Generation, query: SearchQuery, *, min_confidence: float, reader: Reader | None = None
) -> Answer:
    """Up to three verbatim quotes that answer the question, each proven; or `no_answer`.

    A `reader` helps to choose them and to tell whether there is an answer, and finds the words that answer.
    """
    started = time.perf_counter()
    read = search(generation, replace(query, limit=_PASSAGES, offset=0, group_by="passage")).hits
    retrieved = time.perf_counter()
    with stage("answer"):
        candidates = weigh(generation, query, read)
        odds = log_odds(candidates)
        near = _NEAR_BEST
        if reader and candidates:
            candidates, best = read_by(reader, query, candidates)
            near = _NEAR_BEST_READ
            if reader.facts.calibrated and not query.speaker:
                odds += best + _READ_INTERCEPT
        sure = 1 / (1 + math.exp(-odds))
        chosen = choose(candidates, newest=query.newest, near=near) if sure >= min_confidence else []
        proof = prove(generation.corpus, (Statement.of(_quote(candidate)) for candidate in chosen))
    done = time.perf_counter()
    return Answer(
        status="answered" if proof.citations else "no_answer",
        proof=proof,
        confidence=sure,
        read=tuple(read),
        retrieve_ms=(retrieved - started) * 1000,
        answer_ms=(done - retrieved) * 1000,
    )


def weigh(generation: Generation, query: SearchQuery, hits: Sequence[Hit]) -> list[Candidate]:
    """Every sentence of the hits that can answer, the most promising first."""
    weights = {term: generation.fulltext.rarity(term) for term in content_terms(query.matter)}
    said = (
        said_by(generation.corpus, query.speaker, [hit.article.id for hit in hits]) if query.speaker else {}
    )
    leans = leaning(query.matter)
    candidates = []
    for hit, found in zip(hits, _read(generation, query.matter, hits), strict=True):
        words = [quotation.place for quotation in said.get(hit.article.id, [])]
        around = overlap(weights, encoded_text(hit.article, hit.passage.span))
        before: Span | None = None
        last: Candidate | None = None
        for place, match in found:
            text = hit.article.text[slice(*place)]
            one = Candidate(
                hit,
                place,
                match,
                overlap(weights, text),
                around,
                said=any(place.start < word.end and word.start < place.end for word in words),
                leans_on=before if leans(text) else None,
            )
            if one.leans_on and last:
                # Both are quoted, so it can answer where its own words do not match.
                one = replace(one, borrowed=_BORROWED * max(0.0, last.score - last.borrowed - one.score))
            before, last = place, None
            if len(text.split()) >= _FEWEST_WORDS:
                last = one
                if one.said or not _QUESTION.search(text.rstrip()):
                    candidates.append(one)
    return sorted(candidates, key=lambda candidate: -candidate.score)


def leaning(question: str) -> Callable[[str], bool]:
    """What tells whether a sentence needs the one before it: it begins with "He" or the like, or speaks of
    "the company" where the question is which company."""
    nouns: list[str] = []
    for found in _WHICH.findall(question):
        nouns += takewhile(content_terms, found.split())
    one_of = "|".join(map(re.escape, nouns))
    known = re.compile(rf"\b(?:the|this|that|its) +(?:[\w-]+ +)?(?:{one_of})\b", re.IGNORECASE)
    return lambda text: bool(_LEANS.match(text) or (nouns and known.search(text)))


def read_by(
    reader: Reader, query: SearchQuery, candidates: Sequence[Candidate]
) -> tuple[list[Candidate], float]:
    """The candidates in the order that they have when a reader has read the passages of the first, and the
    log odds that one of these answers."""
    inside: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        inside.setdefault(candidate.hit.passage.id, []).append(candidate)
    groups = list(inside.values())
    hits = [group[0].hit for group in groups[:_READ_PASSAGES]]
    with stage("read"):
        found = reader.read_places(
            query.matter,
            [hit.passage.text for hit in hits],
            [[_within(one.hit, one.place) for one in group] for group in groups[:_READ_PASSAGES]],
            titles=[hit.article.title for hit in hits],
        )
    scored = list(zip(chain(*groups[:_READ_PASSAGES]), chain(*found), strict=True))
    unread = [replace(one, read=-1.0) for one in chain(*groups[_READ_PASSAGES:])]
    best = max(reading.score for _, reading in scored)
    if not math.isfinite(best):  # no window holds any of them
        return list(candidates), -_MOST_ODDS
    marked = math.inf if query.speaker else _MARKED_FROM if reader.facts.calibrated else 0.0
    read = [
        replace(
            one,
            read=math.tanh((reading.score - best) / _READ_SLOPE),
            words=_words(one.hit, reading) if reading.score > 0 and reading.odds >= marked else None,
        )
        for one, reading in scored
    ]
    everything = read + unread
    if not query.speaker:
        told = [
            (one, one.hit.passage.text[slice(*reading.span)])
            for one, (_, reading) in zip(read, scored, strict=True)
        ]
        everything = agreeing(query.matter, everything, told)
    odds = max(reading.odds for _, reading in scored)
    everything.sort(key=lambda candidate: -candidate.score)
    return everything, max(-_MOST_ODDS, min(_MOST_ODDS, odds))


def agreeing(
    question: str, candidates: Sequence[Candidate], told: Sequence[tuple[Candidate, str]]
) -> list[Candidate]:
    """The candidates, each knowing how far the others agree with it. `told` are those that were read, each
    with its best answer; words of the question answer nothing."""
    asked = _spoken(question)
    answers = [(one, words) for one, text in told if (words := _spoken(text)).strip() and words not in asked]
    if not answers:
        return list(candidates)
    says = [math.exp((one.score - answers[0][0].score) / _SAY) for one, _ in answers]
    whole = sum(says)
    agreed = []
    for candidate in candidates:
        text = _spoken(candidate.text)
        shared = sum(
            say
            for (one, words), say in zip(answers, says, strict=True)
            if words in text and one is not candidate
        )
        agreed.append(replace(candidate, agreed=shared / whole))
    return agreed


def _spoken(text: str) -> str:
    """The words of a text between spaces, so that one text holds a run of words where it holds these."""
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _within(hit: Hit, place: Span) -> Span:
    """A place of an article as it counts in a passage."""
    return Span(place.start - hit.passage.start, place.end - hit.passage.start)


def _words(hit: Hit, reading: Reading) -> Span:
    """Where a reading of a passage stands in its article."""
    return Span(hit.passage.start + reading.span.start, hit.passage.start + reading.span.end)


def _read(generation: Generation, question: str, hits: Sequence[Hit]) -> Iterator[list[tuple[Span, float]]]:
    """For each hit its sentences, at their places in the article, and how well each meets the question."""
    asked = generation.encoder.encode_query(question)
    for hit, cosines in zip(hits, _cosines(generation, asked.tokens, hits), strict=True):
        context = len(encoded_text(hit.article, hit.passage.span)) - len(hit.passage.text)
        starts = [
            span.start for span in generation.encoder.token_spans(encoded_text(hit.article, hit.passage.span))
        ][: cosines.shape[1]]
        title = slice(0, int(np.searchsorted(starts, context)))
        found = []
        for span in sentences(hit.passage.text, hit.article.language):
            own = slice(*np.searchsorted(starts, [context + span.start, context + span.end]).tolist())
            tokens = np.concatenate([cosines[:, title], cosines[:, own]], axis=1)
            place = Span(hit.passage.start + span.start, hit.passage.start + span.end)
            found.append((place, float(tokens.max(axis=1).mean()) if tokens.size else 0.0))
        yield found


def _cosines(
    generation: Generation, asked: npt.NDArray[np.float32], hits: Sequence[Hit]
) -> list[npt.NDArray[np.float32]]:
    """The question's tokens against each hit's: (question tokens, tokens), as stored, else encoded now."""
    if generation.tokens:
        return generation.tokens.similarities(asked, [hit.passage.row for hit in hits])
    texts = [encoded_text(hit.article, hit.passage.span) for hit in hits]
    encoded = dict(generation.encoder.stream_passages(texts))
    return [asked @ encoded[at].tokens.T for at in range(len(texts))]


def log_odds(candidates: Sequence[Candidate]) -> float:
    """How likely the articles answer the question, as the logarithm of the odds.

    A logistic fit over the best match and the best passage, in which answerable and unanswerable questions
    weigh alike. That the best sentence has the words of whoever is asked about counts beside it.
    """
    match = max((candidate.match for candidate in candidates), default=0.0)
    around = max((candidate.passage_overlap for candidate in candidates), default=0.0)
    said = bool(candidates) and candidates[0].said
    return _FIT_MATCH * match + _FIT_OVERLAP * around + _FIT_SAID * said + _FIT_INTERCEPT


def choose(
    candidates: Sequence[Candidate], *, newest: bool = False, near: float = _NEAR_BEST
) -> list[Candidate]:
    """The best sentence, and those that say something else and have at least `near` of its score; `newest`
    puts the latest first."""
    chosen: list[Candidate] = []
    words = 0
    for candidate in candidates:
        if candidate.score < near * candidates[0].score or len(chosen) == _SENTENCES:
            break
        if any(_repeats(candidate, other) for other in chosen):
            continue
        whole = _with_what_it_leans_on(candidate, chosen)
        if words + len(whole.text.split()) > _MOST_WORDS:
            if chosen:
                continue
            whole = candidate
        words += len(whole.text.split())
        chosen.append(whole)
    if newest:
        chosen.sort(key=lambda one: one.hit.article.moment or _UNDATED, reverse=True)
    return chosen


def _repeats(candidate: Candidate, other: Candidate) -> bool:
    """Whether a sentence says what another says: in the same words, and with no figure of its own, for
    articles that differ in a figure do not agree."""
    ours, theirs = (set(re.findall(r"[\w.,]*\w", one.text.lower())) for one in (candidate, other))
    if any(word[0].isdigit() for word in ours - theirs) and candidate.hit.article.id != other.hit.article.id:
        return False
    return len(ours & theirs) >= _REPEATED * min(len(ours), len(theirs))


def _with_what_it_leans_on(candidate: Candidate, chosen: Sequence[Candidate]) -> Candidate:
    """A sentence together with the one that it leans on, where that one is not quoted yet."""
    before = candidate.leans_on
    if before is None:
        return candidate
    quoted = [other.place for other in chosen if other.hit.article.id == candidate.hit.article.id]
    if any(place.start <= before.start < place.end for place in quoted):
        return candidate
    return replace(candidate, place=Span(before.start, candidate.place.end))


def _quote(candidate: Candidate) -> Quote:
    hit = candidate.hit
    return Quote(hit.article.id, hit.passage.id, candidate.place, candidate.text, candidate.words)
