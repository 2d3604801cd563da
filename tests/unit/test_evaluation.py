"""Measures that can be checked by hand, on collections small enough to read."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import SourceError, UsageError
from indexer.local.generation import LocalGeneration
from service.evaluation import (
    Judged,
    Qrels,
    Question,
    Run,
    Tried,
    compare,
    measure,
    rank,
    read_judged,
    read_run,
    sampled,
    summed_up,
    try_answers,
    write_run,
)
from service.retrieval import SearchQuery
from tests.conftest import QUESTIONS, SEED_ID

# The first question's article is found first, the second's third, the third's not at all.
QRELS: Qrels = {"q1": {"a": 1}, "q2": {"b": 1}, "q3": {"c": 1}}
RUN: Run = {
    "q1": {"a": 3.0, "x": 2.0, "y": 1.0},
    "q2": {"x": 3.0, "y": 2.0, "b": 1.0},
    "q3": {"x": 1.0},
}
SQUAD = {
    "data": [
        {
            "title": "Port_Ellery",
            "paragraphs": [
                {
                    "context": "The bridge will cost 246 million crowns.",
                    "qas": [
                        {
                            "id": "s1",
                            "question": "What will the bridge cost?",
                            "answers": [{"text": "246 million crowns"}, {"text": "246 million"}],
                        },
                        {
                            "id": "s2",
                            "question": "Who built it?",
                            "is_impossible": True,
                            "answers": [],
                        },
                    ],
                },
                {"context": "The ferry sails twice a day.", "qas": []},
            ],
        }
    ]
}


def test_measures_are_those_that_a_hand_would_find() -> None:
    found = measure(QRELS, RUN)
    assert found == {
        "nDCG@10": pytest.approx((1 + 1 / math.log2(4) + 0) / 3),
        "R@100": pytest.approx(2 / 3),
        "RR@10": pytest.approx((1 + 1 / 3 + 0) / 3),
        "Success@5": pytest.approx(2 / 3),
    }


def test_a_question_that_found_nothing_counts_nothing_and_stays_in_the_mean() -> None:
    found = measure({"q1": {"a": 1}, "q2": {"b": 1}}, {"q1": {"a": 1.0}, "q2": {}})
    assert set(found.values()) == {0.5}


def test_what_is_more_relevant_counts_more() -> None:
    """Relevance 2 in second place and 1 in first, against the best order."""
    found = measure({"q": {"a": 2, "b": 1}}, {"q": {"b": 2.0, "a": 1.0}})
    assert found["nDCG@10"] == pytest.approx((1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)))


def better(count: int, *, by: int) -> tuple[Qrels, Run, Run]:
    """Two runs; in `by` of so many questions the one finds the article first, the other second."""
    qrels: Qrels = {f"q{number}": {"a": 1} for number in range(count)}
    other: Run = {name: {"x": 2.0, "a": 1.0} for name in qrels}
    run: Run = {
        name: {"a": 2.0, "x": 1.0} if number < by else other[name] for number, name in enumerate(qrels)
    }
    return qrels, run, other


def test_a_run_differs_from_itself_in_nothing() -> None:
    for one in compare(QRELS, RUN, RUN):
        assert one.difference == 0
        assert one.p_value == pytest.approx(1)


def test_a_run_that_is_better_throughout_is_told_from_chance() -> None:
    qrels, run, other = better(40, by=40)
    found = {one.measure: one for one in compare(qrels, run, other)}
    assert found["RR@10"].difference == pytest.approx(0.5)
    assert found["RR@10"].p_value < 0.001
    assert found["R@100"].difference == 0
    backwards = {one.measure: one for one in compare(qrels, other, run)}
    assert backwards["RR@10"].difference == pytest.approx(-0.5)
    assert backwards["RR@10"].p_value < 0.001


def test_one_better_question_of_forty_may_be_chance() -> None:
    found = {one.measure: one for one in compare(*better(40, by=1))}
    assert found["RR@10"].difference > 0
    assert found["RR@10"].p_value > 0.5


def test_runs_are_compared_on_the_questions_of_both() -> None:
    found = compare(QRELS, RUN, {"q1": {"x": 1.0}, "q3": {"x": 1.0}, "unjudged": {"a": 1.0}})
    assert {one.difference for one in found} == {0.5}


@pytest.mark.parametrize("other", [{}, {"elsewhere": {"a": 1.0}}, {"q1": {"a": 1.0}, "elsewhere": {}}])
def test_runs_with_hardly_a_question_in_common_are_not_compared(other: Run) -> None:
    with pytest.raises(UsageError, match="less than two judged questions in common"):
        compare(QRELS, RUN, other)


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, unique=True), max_size=4))
def test_a_run_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, list[str]]
) -> None:
    """Ids with spaces, percent signs and line ends too."""
    file = tmp_path_factory.mktemp("runs") / "a.run"
    run: Run = {
        question: {article: float(-place) for place, article in enumerate(articles)}
        for question, articles in found.items()
    }
    write_run(run, file)
    assert read_run(file) == run
    assert [list(articles) for articles in read_run(file).values()] == list(found.values())


def test_a_run_is_a_line_for_each_article_in_trecs_format(tmp_path: Path) -> None:
    write_run({"q 1": {"100% wool": 0.0, "b": -1.0}}, tmp_path / "a.run")
    assert (tmp_path / "a.run").read_text(encoding="utf-8") == (
        "q%201 Q0 100%25%20wool 1 0 dateline\nq%201 Q0 b 2 -1 dateline\n"
    )


@pytest.mark.parametrize("content", ["q1 Q0 a\n", "q1 Q0 a 1 high other\n", b"\xff\xfe\x00"])
def test_what_is_no_run_is_named(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "a.run"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SourceError, match=r"a\.run: is no run in TREC's format"):
        read_run(file)
    with pytest.raises(SourceError, match="is no run"):
        read_run(tmp_path / "missing.run")


def beir(folder: Path, queries: str, qrels: str = "q\ta\tscore\nq1\ta\t1\n") -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text(queries, encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")
    return folder


def test_a_collection_in_beir_layout_is_read(tmp_path: Path) -> None:
    queries = [
        {"_id": "q1", "text": "Who?", "answer": "Hallam", "date": "2026-01-05T08:00:00"},
        {"_id": 2, "text": "When?", "answer": ["May", "in May"]},
        {"_id": "q3", "text": "Why?", "answer": []},
        {"_id": "q4", "text": "How?"},
    ]
    folder = beir(
        tmp_path / "asked",
        "".join(json.dumps(one) + "\n" for one in queries),
        "query-id\tcorpus-id\tscore\nq1\ta b\t2\n2\tc\t0\n2\td\t1\n",
    )
    judged = read_judged(folder, tmp_path)
    assert (judged.name, judged.corpus) == ("asked", None)
    assert judged.questions == [
        Question("q1", "Who?", ("Hallam",), date(2026, 1, 5)),
        Question("2", "When?", ("May", "in May")),
        Question("q3", "Why?"),
        Question("q4", "How?"),
    ]
    assert judged.qrels == {"q1": {"a b": 2}, "2": {"c": 0, "d": 1}}
    (folder / "corpus.jsonl").touch()
    assert read_judged(folder, tmp_path).corpus == folder / "corpus.jsonl"


def test_qrels_need_no_heading(tmp_path: Path) -> None:
    folder = beir(tmp_path / "asked", '{"_id": "q1", "text": "Who?"}\n', "q1\ta\t1\n")
    assert read_judged(folder, tmp_path).qrels == {"q1": {"a": 1}}


@pytest.mark.parametrize(
    ("queries", "where"),
    [
        ('{"_id": "q1", "text": "Who?"}\n{"_id": ', 2),
        ('{"_id": "q1"}\n', 1),
        ("[]\n", 1),
        ("7\n", 1),
        ('{"_id": "q1", "text": "Who?", "date": "soon"}\n', 1),
    ],
)
def test_a_bad_question_is_named_with_its_line(tmp_path: Path, queries: str, where: int) -> None:
    with pytest.raises(SourceError, match=rf"queries\.jsonl:{where}: is no question"):
        read_judged(beir(tmp_path / "asked", queries), tmp_path)


@pytest.mark.parametrize("line", ["q1\ta", "q1\ta\tgood", "q1 a 1", "q1\ta\t1\t2"])
def test_a_bad_judgement_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    folder = beir(tmp_path / "asked", '{"_id": "q1", "text": "Who?"}\n', f"q\ta\tscore\nq1\ta\t1\n{line}\n")
    with pytest.raises(SourceError, match=r"test\.tsv:3: is not question, article, relevance"):
        read_judged(folder, tmp_path)


def test_a_folder_without_questions_and_a_path_to_nothing_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"queries\.jsonl: no such file"):
        read_judged(tmp_path, tmp_path)
    with pytest.raises(SourceError, match="no such file or folder"):
        read_judged(tmp_path / "missing", tmp_path)


def test_a_squad_file_becomes_a_corpus_and_its_questions(tmp_path: Path) -> None:
    file = tmp_path / "dev.json"
    file.write_text(json.dumps(SQUAD), encoding="utf-8")
    judged = read_judged(file, tmp_path / "work")
    assert judged.questions == [
        Question("s1", "What will the bridge cost?", ("246 million crowns", "246 million")),
        Question("s2", "Who built it?"),
    ]
    assert judged.corpus == tmp_path / "work" / "dev.jsonl"
    corpus = [json.loads(line) for line in judged.corpus.read_text(encoding="utf-8").splitlines()]
    assert [(one["_id"], one["title"]) for one in corpus] == [
        ("Port_Ellery/0", "Port Ellery"),
        ("Port_Ellery/1", "Port Ellery"),
    ]
    assert judged.qrels["s1"] == {"Port_Ellery/0": 1}


@pytest.mark.parametrize("content", ["", "[]", '{"data": 7}', '{"data": [{"title": "a"}]}', '{"data": [[]]}'])
def test_what_is_no_squad_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "dev.json"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=r"dev\.json: is not in the format of SQuAD"):
        read_judged(file, tmp_path / "work")


def many(count: int) -> Judged:
    return Judged("many", None, [Question(str(number), "Who?") for number in range(count)], {})


@given(st.integers(1, 60), st.integers(1, 80))
def test_a_sample_is_always_the_same_part(count: int, most: int) -> None:
    found = sampled(many(count), most).questions
    assert found == sampled(many(count), most).questions
    assert len(found) == min(count, most)
    assert len({one.id for one in found}) == len(found)
    assert set(found) <= set(many(count).questions)


def test_no_limit_is_the_whole() -> None:
    assert sampled(many(5), None) == many(5)


def tried(confidence: float, *told: bool, answerable: bool = True, verbatim: bool = True) -> Tried:
    question = Question("q", "Who?", ("Hallam",) if answerable else ())
    return Tried(question, confidence, told, verbatim, took_ms=10.0 * confidence)


def test_answers_are_summed_up_as_a_hand_would() -> None:
    found = summed_up(
        [
            tried(0.9, True, False),
            tried(0.6, False, True),
            tried(0.4, False, False),
            tried(0.2),
            tried(0.5, False, answerable=False),
            tried(0.1, answerable=False, verbatim=False),
        ],
        threshold=0.5,
    )
    assert (found.answerable, found.unanswerable) == (4, 2)
    assert (found.first, found.any) == (1 / 4, 2 / 4)
    assert found.quote_precision == 2 / 6
    # Of the eight pairs of both kinds .9 and .6 win four, .4 and .2 one each.
    assert found.auroc == 6 / 8
    assert (found.answered, found.wrongly) == (2 / 4, 1 / 2)
    assert found.coverage == 2 / 4
    assert found.coverage_threshold == pytest.approx(0.5)
    assert found.verbatim == 5 / 6
    assert found.p50_ms == pytest.approx(4.5)


def test_where_there_is_nothing_to_count_nothing_is_told() -> None:
    nothing = summed_up([], threshold=0.5)
    assert (nothing.answerable, nothing.first, nothing.auroc, nothing.verbatim) == (0, None, None, None)
    silent = summed_up([tried(0.5, answerable=False)], threshold=0.5)
    assert (silent.first, silent.auroc, silent.coverage, silent.wrongly) == (None, None, None, 1.0)


CONFIDENCES = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=60)


@given(CONFIDENCES, CONFIDENCES)
def test_coverage_is_told_where_at_most_one_unanswerable_in_twenty_passes(
    sure: Sequence[float], unsure: Sequence[float]
) -> None:
    cases = [tried(one) for one in sure] + [tried(one, answerable=False) for one in unsure]
    found = summed_up(cases, threshold=0.5)
    assert found.coverage_threshold is not None
    assert found.auroc is not None
    passing = [one for one in unsure if one >= found.coverage_threshold]
    assert len(passing) <= 0.05 * len(unsure)
    # It is the least such threshold: a little lower, and one more would pass.
    lower = math.nextafter(found.coverage_threshold, 0)
    assert sum(one >= lower for one in unsure) > 0.05 * len(unsure)
    wins = [(ours > theirs) + 0.5 * (ours == theirs) for ours in sure for theirs in unsure]
    assert found.auroc == pytest.approx(sum(wins) / len(wins))


def test_each_judged_question_is_ranked_once_and_unjudged_ones_not(
    generation: LocalGeneration, tmp_path: Path
) -> None:
    judged = read_judged(QUESTIONS, tmp_path)
    few = replace(judged, questions=judged.questions[-30:])
    ranked = rank(generation, few, SearchQuery(""))
    assert list(ranked.run) == [one.id for one in few.questions if one.id in judged.qrels]
    for found in ranked.run.values():
        assert [*found.values()] == [float(-place) for place in range(len(found))]
    assert 0 < ranked.p50_ms <= ranked.p95_ms
    with pytest.raises(UsageError, match="no question is judged"):
        rank(generation, replace(judged, qrels={}), SearchQuery(""))


def test_a_dated_question_finds_nothing_that_came_later(generation: LocalGeneration) -> None:
    question = Question("q", "What will the bridge cost?", asked_on=date(2025, 12, 31))
    judged = Judged("dated", None, [question], {"q": {"a": 1}})
    for name in rank(generation, judged, SearchQuery("")).run["q"]:
        article = generation.corpus.article(name)
        assert article
        assert article.day
        assert article.day <= date(2025, 12, 31)


def test_an_answer_is_judged_by_what_its_quotes_hold(generation: LocalGeneration) -> None:
    text = "What does Gabuev expect from military cooperation?"
    questions = [Question("1", text, ("CLOSER military",)), Question("2", text, ("a zeppelin",))]
    right, wrong = try_answers(generation, questions, SearchQuery(""))
    assert right.told[0]
    assert right.verbatim
    assert not any(wrong.told)
    assert right.confidence == wrong.confidence
    # As a collection that is meant not to tell, it leaves out what it tells all the same.
    (silent,) = try_answers(generation, questions, SearchQuery(""), silent=True)
    assert silent.question == Question("2", text)


def test_a_quote_that_is_not_its_articles_text_is_not_verbatim(
    generation: LocalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question("1", "What does Gabuev expect from military cooperation?", ("closer",))
    article = generation.corpus.article(SEED_ID)
    assert article
    other = replace(article, text=article.text.replace("closer", "looser"))
    found: Callable[[str], object] = generation.corpus.article
    (sound,) = try_answers(generation, [question], SearchQuery(""))
    assert sound.verbatim
    calls: list[str] = []

    def changed(name: str) -> object:
        calls.append(name)
        return found(name) if len(calls) == 1 else other

    # Changed between the proof and the count.
    monkeypatch.setattr(generation.corpus, "article", changed)
    (broken,) = try_answers(generation, [question], SearchQuery(""))
    assert not broken.verbatim
