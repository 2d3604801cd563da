"""How good search and answers are on judged questions, by the field's measures.

A collection is a folder in BEIR layout (`corpus.jsonl`, `queries.jsonl`, `qrels/test.tsv`), whose questions
may carry an `answer`; or a file in the format of SQuAD 2.0, whose paragraphs are the corpus.
"""

import csv
import json
import random
import re
import shutil
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt

from indexer.build import Change, Progress, Recipe, build
from indexer.errors import SourceError, UsageError
from indexer.folder import IndexFolder
from indexer.generation import Generation
from indexer.local.generation import LocalIndex
from indexer.reader import Reader
from indexer.sources import Intake, Offer
from service.answering import answer
from service.asking import Asked, understand
from service.evidence import Quote
from service.retrieval import SearchQuery, search

_DEPTH = 100  # articles of each ranking that are measured
_ERROR = 0.05  # of the unanswerable questions, at which coverage is told
_CORPUS, _QUESTIONS, _QRELS = "corpus.jsonl", "queries.jsonl", Path("qrels", "test.tsv")
_MEASURES = ("nDCG@10", "R@100", "RR@10", "Success@5")

Run = dict[str, dict[str, float]]
"""By question the articles found, each with a score that puts them in order."""
Qrels = dict[str, dict[str, int]]
"""By question the judged articles, each with its relevance."""


@dataclass(frozen=True, slots=True)
class Question:
    """`answers` are the strings of which any one answers it: none where the corpus does not tell. `asked_on`
    is the day from which its "this week" counts."""

    id: str
    text: str
    answers: tuple[str, ...] = ()
    asked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """Questions about a corpus. `corpus` is its file, None where an index is to be given."""

    name: str
    corpus: Path | None
    questions: list[Question]
    qrels: Qrels


def read_judged(path: Path, work: Path) -> Judged:
    """Reads a collection; `work` takes the corpus of a SQuAD file.

    Raises SourceError, naming the file and line, where it is none.
    """
    if path.is_dir():
        return _beir(path)
    if path.is_file():
        return _squad(path, work)
    raise SourceError(f"{path}: no such file or folder; give a folder in BEIR layout or a SQuAD file")


def _beir(folder: Path) -> Judged:
    qrels: Qrels = {}
    file = folder / _QRELS
    if file.is_file():
        with file.open(encoding="utf-8", newline="") as lines:
            for number, fields in enumerate(csv.reader(lines, delimiter="\t"), start=1):
                try:
                    question, article, relevance = fields
                    qrels.setdefault(question, {})[article] = int(relevance)
                except ValueError as error:
                    if number > 1:  # the first may be a heading
                        raise SourceError(
                            f"{file}:{number}: is not question, article, relevance between tabs"
                        ) from error
    questions = [
        Question(str(record["_id"]), str(record["text"]), _answers(record.get("answer")), _day(record))
        for record in _records(folder / _QUESTIONS, "_id", "text")
    ]
    corpus = folder / _CORPUS
    return Judged(folder.name, corpus if corpus.is_file() else None, questions, qrels)


def _answers(found: object) -> tuple[str, ...]:
    return tuple(map(str, found)) if isinstance(found, list) else (str(found),) if found else ()


def _day(record: dict[str, Any]) -> date | None:
    found = record.get("date")
    return date.fromisoformat(found[:10]) if isinstance(found, str) and found else None


def _records(file: Path, *needed: str) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        raise SourceError(f"{file}: no such file; a collection in BEIR layout has one")
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                if any(name not in record for name in needed):
                    raise ValueError(f"it needs {' and '.join(needed)}")
                _day(record)
            except (ValueError, TypeError) as error:
                raise SourceError(f"{file}:{number}: is no question ({error})") from error
            yield record


def _squad(file: Path, work: Path) -> Judged:
    try:
        articles = json.loads(file.read_text(encoding="utf-8"))["data"]
        records, questions, qrels = [], [], {}
        for article in articles:
            for number, paragraph in enumerate(article["paragraphs"]):
                name = f"{article['title']}/{number}"
                title = article["title"].replace("_", " ")
                records.append({"_id": name, "title": title, "text": paragraph["context"]})
                for asked in paragraph["qas"]:
                    answers = () if asked.get("is_impossible") else (one["text"] for one in asked["answers"])
                    questions.append(Question(asked["id"], asked["question"], tuple(answers)))
                    qrels[asked["id"]] = {name: 1}
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{file}: is not in the format of SQuAD ({error!r})") from error
    work.mkdir(parents=True, exist_ok=True)
    corpus = work / f"{file.stem}.jsonl"
    corpus.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return Judged(file.stem, corpus, questions, qrels)


def sampled(judged: Judged, most: int | None) -> Judged:
    """The same with at most so many questions, always the same ones."""
    if most is None or most >= len(judged.questions):
        return judged
    return replace(judged, questions=random.Random(0).sample(judged.questions, most))  # noqa: S311


def index_of(judged: Judged, work: Path, recipe: Recipe, progress: Progress) -> Generation:
    """An index of the collection's corpus below `work`; what was encoded there before is not encoded again.

    Raises UsageError where the collection has no corpus.
    """
    if judged.corpus is None:
        raise UsageError(f"{judged.name}: has no {_CORPUS}; give the index that its questions are about")
    folder = IndexFolder(work / judged.name)
    change = Change(from_current=False, offer=Offer((judged.corpus,)))
    build(folder, change, recipe, Intake(), progress, keep=1, command="dateline eval")
    return LocalIndex(folder).open_best(progress.warn)


def without_answers(judged: Judged, work: Path, recipe: Recipe, progress: Progress) -> Generation | None:
    """The collection's index without the articles that are judged to answer a question; None where nothing
    would be left of it."""
    folder = IndexFolder(work / f"{judged.name}-without-answers")
    shutil.rmtree(folder.path, ignore_errors=True)
    shutil.copytree(work / judged.name, folder.path)
    with LocalIndex(folder).open_best(progress.warn) as whole:
        gold = {
            article
            for articles in judged.qrels.values()
            for article, relevance in articles.items()
            if relevance
        }
        known = frozenset(article for article in gold if whole.corpus.article(article))
        if len(known) == whole.corpus.article_count:
            return None
    change = Change(from_current=True, remove=known)
    build(folder, change, recipe, Intake(), progress, keep=1, command="dateline eval")
    return LocalIndex(folder).open_best(progress.warn)


# Retrieval.


@dataclass(frozen=True, slots=True)
class Ranked:
    """A run over the judged questions; `p50_ms` and `p95_ms` are of a question's search for 100 articles."""

    run: Run
    p50_ms: float
    p95_ms: float

    @property
    def times(self) -> dict[str, float]:
        return {"p50 ms": self.p50_ms, "p95 ms": self.p95_ms}


def rank(generation: Generation, judged: Judged, query: SearchQuery, *, interpreted: bool = True) -> Ranked:
    """Searches for each judged question as `query` says, best passage of each article; where it is
    `interpreted`, as it is understood on the day it was asked."""
    run: Run = {}
    times = []
    for question in judged.questions:
        if question.id in judged.qrels:
            started = time.perf_counter()
            asked = replace(query, text=question.text, limit=_DEPTH, collapse=False)
            if interpreted:
                asked = _understood(generation, question, asked)
            hits = search(generation, asked).hits
            times.append((time.perf_counter() - started) * 1000)
            # Ranks, not scores: the order of equal scores is part of the result.
            run[question.id] = {hit.article.id: float(-place) for place, hit in enumerate(hits)}
    if not times:
        raise UsageError(f"{judged.name}: no question is judged in {_QRELS}")
    return Ranked(run, *np.percentile(times, (50, 95)).tolist())


def _understood(generation: Generation, question: Question, query: SearchQuery) -> SearchQuery:
    return understand(generation, Asked(query, as_of=question.asked_on)).query


def measure(qrels: Qrels, run: Run) -> dict[str, float]:
    """Means over every judged question of the run by ir_measures; one that found nothing counts 0."""
    measures, ir = _ir_measures()
    judged = {question: qrels[question] for question in run}
    means = ir.calc_aggregate(measures, judged, run)
    return {str(measure): means[measure] for measure in measures}


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a run is than another in one measure, and how often chance would do as much."""

    measure: str
    difference: float
    p_value: float


def compare(qrels: Qrels, run: Run, other: Run) -> list[Difference]:
    """A paired randomisation test, two-sided (Smucker et al., CIKM 2007), over the questions of both."""
    from scipy.stats import permutation_test  # noqa: PLC0415  no other command needs it

    measures, ir = _ir_measures()
    both = sorted(run.keys() & other.keys() & qrels.keys())
    if len(both) < 2:  # noqa: PLR2004
        raise UsageError("the two runs have less than two judged questions in common")
    judged = {question: qrels[question] for question in both}

    def values(one: Run) -> dict[tuple[str, str], float]:
        found = ir.iter_calc(measures, judged, {question: one[question] for question in both})
        return {(str(each.measure), each.query_id): each.value for each in found}

    ours, theirs = values(run), values(other)
    differences = []
    for measure in map(str, measures):
        change = np.array([ours[measure, one] - theirs[measure, one] for one in both])
        test = permutation_test(
            (change,), np.mean, permutation_type="samples", n_resamples=9999, rng=np.random.default_rng(0)
        )
        differences.append(Difference(measure, float(change.mean()), float(test.pvalue)))
    return differences


def _ir_measures() -> tuple[list[Any], Any]:
    try:
        import ir_measures  # noqa: PLC0415  no other command needs it
    except ImportError as error:
        raise UsageError("measuring needs ir_measures; run: pip install 'dateline[eval]'") from error
    return [ir_measures.parse_measure(name) for name in _MEASURES], ir_measures


def write_run(run: Run, file: Path) -> None:
    """In TREC's format; white space in an id is percent-encoded."""
    with file.open("w", encoding="utf-8") as stream:
        for question, found in run.items():
            for place, (article, score) in enumerate(found.items(), start=1):
                stream.write(f"{_encoded(question)} Q0 {_encoded(article)} {place} {score:g} dateline\n")


def read_run(file: Path) -> Run:
    """Reads what `write_run` or another system wrote. Raises SourceError where it is no run."""
    run: Run = {}
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            question, _, article, _, score, *_ = line.split()
            run.setdefault(unquote(question), {})[unquote(article)] = float(score)
    except (OSError, ValueError) as error:
        raise SourceError(f"{file}: is no run in TREC's format ({error})") from error
    return run


def _encoded(name: str) -> str:
    return re.sub(r"[\s%]", lambda found: quote(found[0]), name)


# Answers.


@dataclass(frozen=True, slots=True)
class Tried:
    """A question and what was answered, whatever the confidence. `told`: for each quote, whether it holds
    an answer of the question's."""

    question: Question
    confidence: float
    told: tuple[bool, ...]
    verbatim: bool
    took_ms: float


def try_answers(
    generation: Generation,
    questions: Iterable[Question],
    query: SearchQuery,
    *,
    reader: Reader | None = None,
    silent: bool = False,
) -> list[Tried]:
    """Answers every question as `query` says. With `silent` the collection is meant not to tell, and a
    question is left out where an answer stands in what is read for it all the same."""
    tried = []
    for question in questions:
        started = time.perf_counter()
        asked = _understood(generation, question, replace(query, text=question.text))
        found = answer(generation, asked, min_confidence=0.0, reader=reader)
        took_ms = (time.perf_counter() - started) * 1000
        if silent and any(_holds(hit.passage.text, question.answers) for hit in found.read):
            continue
        quotes = [citation.quote for citation in found.proof.citations]
        tried.append(
            Tried(
                question if not silent else replace(question, answers=()),
                found.confidence,
                tuple(_holds(one.text, question.answers) for one in quotes),
                all(_stands(generation, one) for one in quotes),
                took_ms,
            )
        )
    return tried


def _holds(text: str, answers: Sequence[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in answers)


def _stands(generation: Generation, quote: Quote) -> bool:
    article = generation.corpus.article(quote.article_id)
    return article is not None and article.text[slice(*quote.place)] == quote.text


@dataclass(frozen=True, slots=True)
class Answered:
    """How good answers are. Shares are in [0, 1], None where there is nothing to count.

    `first` and `any`: of the answerable questions, those whose answer stands in the first quote, in any.
    `quote_precision`: of their quotes, those that hold it. `auroc`: of the confidence, between answerable and
    unanswerable. `answered` and `wrongly`: of either kind, those at or over the threshold. `coverage`: of the
    answerable, those kept at the threshold that lets through one unanswerable in twenty. `verbatim`: of all
    answers, those whose every quote is its article's text.
    """

    answerable: int
    unanswerable: int
    first: float | None
    any: float | None
    quote_precision: float | None
    auroc: float | None
    answered: float | None
    wrongly: float | None
    coverage: float | None
    coverage_threshold: float | None
    verbatim: float | None
    p50_ms: float | None


def summed_up(tried: Sequence[Tried], *, threshold: float) -> Answered:
    """The measures over all questions."""
    answerable = [one for one in tried if one.question.answers]
    silent = [one for one in tried if not one.question.answers]
    sure = np.array([one.confidence for one in answerable])
    unsure = np.array([one.confidence for one in silent])
    bound = _threshold_at_error(unsure) if len(unsure) else None
    return Answered(
        answerable=len(answerable),
        unanswerable=len(silent),
        first=_share(any(one.told[:1]) for one in answerable),
        any=_share(any(one.told) for one in answerable),
        quote_precision=_share(told for one in answerable for told in one.told),
        auroc=_auroc(sure, unsure) if len(sure) and len(unsure) else None,
        answered=_share(sure >= threshold),
        wrongly=_share(unsure >= threshold),
        coverage=_share(sure >= bound) if bound is not None else None,
        coverage_threshold=bound,
        verbatim=_share(one.verbatim for one in tried),
        p50_ms=statistics.median(one.took_ms for one in tried) if tried else None,
    )


def _share(cases: Iterable[bool | np.bool_]) -> float | None:
    counted = [bool(case) for case in cases]
    return sum(counted) / len(counted) if counted else None


def _threshold_at_error(unsure: npt.NDArray[np.float64]) -> float:
    """The least confidence that at most one unanswerable question in twenty reaches."""
    falling = np.sort(unsure)[::-1]
    first_refused = falling[min(int(_ERROR * len(falling)), len(falling) - 1)]
    return float(np.nextafter(first_refused, 1.0))


def _auroc(sure: npt.NDArray[np.float64], unsure: npt.NDArray[np.float64]) -> float:
    """How often an answerable question gets the higher confidence, ties half."""
    from scipy.stats import mannwhitneyu  # noqa: PLC0415  no other command needs it

    return float(mannwhitneyu(sure, unsure).statistic / (len(sure) * len(unsure)))
