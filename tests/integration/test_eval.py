"""`dateline eval` as it is typed: figures as JSON lines or a table, runs that are kept and compared."""

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from tests.conftest import QUESTIONS
from tests.integration.test_formats import dateline

TOLD = {
    "lighthouse": (
        "The lighthouse was sold on Monday to a painter.",
        "To whom was the lighthouse sold?",
        "painter",
    ),
    "tram": ("The tram returns to Castle Street in May.", "When does the tram return?", "May"),
    "bees": ("Beekeepers lost one colony in twelve this winter.", "What did beekeepers lose?", "one colony"),
}
WAYS = ["default", "as asked", "plain hybrid", "dense", "lexical"]


def lines(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def written(folder: Path, *, corpus: bool) -> Path:
    """A collection of three articles and a question to each; in its corpus, one more that nobody asks for."""
    (folder / "qrels").mkdir(parents=True)
    if corpus:
        records = [{"_id": name, "title": "", "text": text} for name, (text, _, _) in TOLD.items()]
        records.append({"_id": "library", "title": "", "text": "The library lends out umbrellas this week."})
        (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records), "utf-8")
    questions = [{"_id": f"q {name}", "text": one[1], "answer": [one[2]]} for name, one in TOLD.items()]
    (folder / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions), "utf-8")
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q {name}\t{name}\t1\n" for name in TOLD), encoding="utf-8"
    )
    return folder


def test_retrieval_is_measured_in_every_way_and_its_run_is_kept_and_compared(
    seed_index: Path, tmp_path: Path
) -> None:
    asked = ("eval", "retrieval", str(QUESTIONS), "--index", str(seed_index), "--json", "--limit", "30")
    first = dateline(tmp_path, *asked, "--run", "a.run")
    rows = lines(first)
    assert [row["way"] for row in rows] == WAYS
    for row in rows:
        assert row["collection"] == "seeds"
        assert all(0 <= row[name] <= 1 for name in ("nDCG@10", "R@100", "RR@10", "Success@5"))
        assert 0 < row["p50 ms"] <= row["p95 ms"]
    run = (tmp_path / "a.run").read_text(encoding="utf-8").splitlines()
    assert all(line.split()[1] == "Q0" and line.split()[5] == "dateline" for line in run)
    compared = lines(dateline(tmp_path, *asked, "--compare", "a.run"))
    assert [row["way"] for row in compared[: len(WAYS)]] == WAYS
    same = compared[len(WAYS) :]
    assert [row["measure"] for row in same] == ["nDCG@10", "R@100", "RR@10", "Success@5"]
    for row in same:
        assert row["against"] == "a.run"
        assert row["difference"] == 0
        assert math.isclose(row["p_value"], 1)


def test_figures_are_a_table_for_readers(seed_index: Path, tmp_path: Path) -> None:
    shown = dateline(tmp_path, "eval", "answers", str(QUESTIONS), "--index", str(seed_index), "--limit", "6")
    assert shown.returncode == 0, shown.stderr
    names = [line.split()[0] for line in shown.stdout.splitlines()]
    assert names[:3] == ["collection", "reader", "threshold"]
    assert {"first", "auroc", "verbatim"} <= set(names)


def test_answers_are_measured_with_the_settings_of_the_service(default_index: Path, tmp_path: Path) -> None:
    asked = ("eval", "answers", str(QUESTIONS), "--index", str(default_index), "--json", "--limit", "20")
    rows = lines(dateline(tmp_path, *asked))
    assert [row["reader"] for row in rows] == ["bundled", "none"]
    for row in rows:
        assert row["answerable"] + row["unanswerable"] == 20
        assert row["threshold"] == Settings.model_fields["min_confidence"].default
        assert row["verbatim"] == 1.0
        assert 0 <= row["first"] <= row["any"] <= 1


def test_a_collection_with_its_corpus_is_indexed_and_asked_with_and_without_its_answers(
    seed_index: Path, tmp_path: Path
) -> None:
    folder = written(tmp_path / "small", corpus=True)
    shutil.copytree(seed_index, tmp_path / "work" / "small")  # whose encoder is taken over
    rows = lines(dateline(tmp_path, "eval", "answers", str(folder), "--work", "work", "--json"))
    assert [row["reader"] for row in rows] == ["bundled", "none"]
    for row in rows:
        assert row["collection"] == "small"
        assert (row["answerable"], row["unanswerable"]) == (3, 3)
        assert (row["first"], row["auroc"]) == (1.0, 1.0)
    retrieved = lines(dateline(tmp_path, "eval", "retrieval", str(folder), "--work", "work", "--json"))
    assert retrieved[0]["Success@5"] == 1.0
    assert retrieved[0]["nDCG@10"] == 1.0
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(corpus.read_text("utf-8").splitlines(keepends=True)[:3]), "utf-8")
    row, _ = lines(dateline(tmp_path, "eval", "answers", str(folder), "--work", "work", "--json"))
    assert (row["unanswerable"], row["auroc"]) == (0, None)  # without its answers nothing would be left


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("retrieval", "missing"), 1, "missing: no such file or folder"),
        (("answers", "missing"), 1, "missing: no such file or folder"),
        (("retrieval",), 2, "Missing argument"),
        (("retrieval", "asked", "--limit", "0"), 2, "--limit"),
        (("retrieval", "asked"), 2, "has no corpus.jsonl; give the index"),
        (("answers", "asked"), 2, "has no corpus.jsonl; give the index"),
        (("retrieval", "asked", "--index", "nowhere"), 3, "holds no index"),
        (("retrieval", "asked", "asked", "--run", "a.run"), 2, "--run and --compare: give one collection"),
        (("retrieval", "asked", "--compare", "missing.run"), 1, "missing.run: is no run in TREC's format"),
        (("retrieval", "bad"), 1, "queries.jsonl:2: is no question"),
        (("answers", "dev.json"), 1, "dev.json: is not in the format of SQuAD"),
    ],
)
def test_a_mistake_ends_with_its_message_and_code(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    written(tmp_path / "asked", corpus=False)
    (written(tmp_path / "bad", corpus=False) / "queries.jsonl").write_text(
        '{"_id": "1", "text": "Who?"}\n{"_id": "2"}\n', encoding="utf-8"
    )
    (tmp_path / "dev.json").write_text("{}", encoding="utf-8")
    done = dateline(tmp_path, "eval", *arguments)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
