"""Follow-ups are told in full; what stands alone stays as it was asked."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.local.generation import LocalGeneration
from service.asking.conversation import Rewritten, Turn, rewrite
from service.retrieval import SearchQuery, search

FOLLOWUPS = Path(__file__).resolve().parents[1] / "quality" / "followups.jsonl"
GABUEV = "What does Gabuev expect from military cooperation?"
WORDS = """
    and what about the why when how much did does he she it they there that his her their think of in Arctic
    Hallam bridge said who opposed more tell me ? , . is was next cost Port Ellery mayor union last week then
""".split()
QUESTIONS = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join))


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FOLLOWUPS.read_text(encoding="utf-8").splitlines()]


def told(record: dict[str, Any]) -> Rewritten:
    return rewrite(record["question"], [Turn(**turn) for turn in record["turns"]])


def after(question: str, *turns: str | Turn) -> str:
    return rewrite(question, [turn if isinstance(turn, Turn) else Turn(turn) for turn in turns]).question


def test_nearly_all_judged_follow_ups_say_what_they_leave_out() -> None:
    asked = [record for record in records() if "unchanged" not in record]
    wrong = [
        record["question"]
        for record in asked
        if not all(word in told(record).question.lower() for word in record["words"])
    ]
    assert len(asked) >= 100
    assert len(wrong) <= 5, wrong


def test_every_judged_question_that_stands_alone_is_left_alone() -> None:
    alone = [record for record in records() if "unchanged" in record]
    assert len(alone) >= 30
    for record in alone:
        assert told(record) == Rewritten(record["question"], changed=False)


def test_rewritten_follow_ups_find_their_article_first(generation: LocalGeneration) -> None:
    asked = [record for record in records() if record.get("article")]

    def found(question: str, article: str) -> bool:
        return search(generation, SearchQuery(question, limit=1)).hits[0].article.id == article

    rewritten = sum(found(told(record).question, record["article"]) for record in asked)
    as_asked = sum(found(record["question"], record["article"]) for record in asked)
    assert rewritten >= 0.9 * len(asked)
    assert rewritten >= as_asked + 0.35 * len(asked)


def test_each_follow_up_builds_on_those_before_it() -> None:
    assert after("and in the Arctic?", GABUEV) == (
        "What does Gabuev expect from military cooperation in the Arctic?"
    )
    assert after("and in Asia?", GABUEV, "and in the Arctic?") == (
        "What does Gabuev expect from military cooperation in Asia?"
    )
    assert after("why?", GABUEV, "and in the Arctic?", "and in Asia?") == (
        "What does Gabuev expect from military cooperation in Asia, and why?"
    )


@pytest.mark.parametrize(
    ("before", "question", "rewritten"),
    [
        ("When did the wall fail?", "why?", "Why did the wall fail?"),
        ("Did the council agree?", "when was that?", "When did the council agree?"),
        ("How much did the bridge cost?", "and the ferry?", "How much did the ferry cost?"),
        ("What is the price of the new roof?", "and the desks?", "What is the price of the desks?"),
        (
            "What does Idony Hallam think of the bridge?",
            "and Ashgrove?",
            "What does Ashgrove think of the bridge?",
        ),
        (
            "What does Idony Hallam think of the bridge?",
            "and the toll?",
            "What does Idony Hallam think of the toll?",
        ),
        ("What happened in Saltmarsh last week?", "and this week?", "What happened in Saltmarsh this week?"),
        ("What happened in Saltmarsh?", "who lives there?", "Who lives in Saltmarsh?"),
        ("What does Hallam think of the bridge?", "The ferry?", "What does Hallam think of the ferry?"),
        ("What is the toll for residents?", "and for lorries?", "What is the toll for lorries?"),
        ("Who won the vote?", "by how many votes?", "Who won the vote, and by how many votes?"),
        ("Where did Putin and Xi meet?", "What did they pledge?", "What did Putin and Xi pledge?"),
        ("Where did the storm hit?", "Who was injured?", "Who was injured, regarding the storm?"),
        ("Who is Leofric Dunmore?", "What did he recommend?", "What did Leofric Dunmore recommend?"),
        ("What does the union demand?", "will it strike?", "Will the union strike?"),
    ],
)
def test_a_follow_up_takes_what_it_lacks_from_the_question_before(
    before: str, question: str, rewritten: str
) -> None:
    assert after(question, before) == rewritten


def test_he_is_whom_the_answer_quotes_where_the_question_names_nobody() -> None:
    turn = Turn("How strong is the alliance?", "It will deepen. [1]", speaker="Alexander Gabuev")
    assert (
        after("What does he expect in the Arctic?", turn)
        == "What does Alexander Gabuev expect in the Arctic?"
    )


def test_what_stands_for_something_in_its_own_question_is_left_alone() -> None:
    for question in (
        "What did Hallam say about her plans?",
        "Election results?",
        "Kettlewick strike?",
        "When will the bridge open and what will it cost?",
        "Who called his own promise a joke?",
        "Is it possible to visit the library?",
        "Is there a ferry to Saltmarsh?",
    ):
        assert rewrite(question, [Turn(GABUEV)]) == Rewritten(question, changed=False)


@given(QUESTIONS)
def test_the_first_question_of_a_conversation_is_left_alone(question: str) -> None:
    assert rewrite(question, []) == Rewritten(question, changed=False)


@given(
    QUESTIONS, st.lists(st.builds(Turn, QUESTIONS, QUESTIONS, st.none() | st.text(max_size=20)), max_size=12)
)
def test_any_conversation_gives_a_question(question: str, turns: list[Turn]) -> None:
    rewritten = rewrite(question, turns)
    assert rewritten.changed == (rewritten.question != question)
    assert rewritten == rewrite(question, turns[-10:])


@given(QUESTIONS, st.lists(st.builds(Turn, QUESTIONS), min_size=10, max_size=10), QUESTIONS)
def test_only_the_last_ten_turns_are_meant(question: str, turns: list[Turn], older: str) -> None:
    assert rewrite(question, [Turn(older), *turns]) == rewrite(question, turns)


def test_an_endless_conversation_gives_a_question() -> None:
    endless = "and what does the Port Ellery council of the mayor think that he said of it, " * 25
    assert isinstance(rewrite(endless, [Turn(endless, endless)] * 10).question, str)
    assert isinstance(rewrite("why?", [Turn(endless, endless)] * 10).question, str)
