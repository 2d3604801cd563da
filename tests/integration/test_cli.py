"""The command line as it is typed: output, messages and exit codes."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from service.cli import app
from tests.conftest import SEEDS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `dateline` in an empty folder, on its own."""

    def command(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
            stdin=subprocess.DEVNULL,
        )

    return command


def test_ask_answers_with_the_words_the_article_and_its_date(run: Run, seed_index: Path) -> None:
    asked = run("ask", "What does Gabuev expect from military cooperation?", "--index", seed_index)
    assert asked.returncode == 0
    assert "closer military cooperation" in asked.stdout
    assert "Business International News · 16 October 2023" in asked.stdout
    assert asked.stderr == "“Gabuev”: said by Gabuev\n"


def test_ask_says_plainly_that_the_articles_do_not_tell(run: Run, seed_index: Path) -> None:
    asked = run("ask", "Which comet passed Jupiter in 1994?", "--index", seed_index, "--json")
    assert json.loads(asked.stdout)["status"] == "no_answer"


def test_search_prints_json_lines(run: Run, seed_index: Path) -> None:
    found = run(
        "search",
        "bridge cost",
        "--limit",
        "3",
        "--json",
        "--source",
        "Harbour Courier",
        "--index",
        seed_index,
    )
    passages = [json.loads(line) for line in found.stdout.splitlines()]
    assert len(passages) == 3
    assert {passage["source"] for passage in passages} == {"Harbour Courier"}


def test_quotes_show_who_said_it_and_where(run: Run, seed_index: Path) -> None:
    shown = run("quotes", "--speaker", "Gabuev", "--index", seed_index)
    assert shown.stdout.startswith("Alexander Gabuev · Business International News · 16 October 2023")
    asked = (
        "quotes",
        "missile defense",
        "--speaker",
        "gabuev",
        "--after",
        "2023-01-01",
        "--limit",
        "1",
        "--json",
    )
    (quote,) = [json.loads(line) for line in run(*asked, "--index", seed_index).stdout.splitlines()]
    assert "missile defense system" in quote["quote"]
    assert run("quotes", "--speaker", "Nobody", "--index", seed_index).stderr == "nothing found\n"
    nobody = run("quotes", "--index", seed_index)
    assert (nobody.returncode, nobody.stderr) == (2, "error: speaker: say who, or with q on what\n")


def test_build_status_rollback_and_gc_tell_one_story(run: Run, seed_index: Path, tmp_path: Path) -> None:
    shutil.copytree(seed_index, tmp_path / "index")
    built = run("index", "build", SEEDS, "--json")
    assert built.returncode == 0, built.stderr
    assert "encoding passages" in built.stderr
    summary = json.loads(built.stdout)
    assert summary["counts"]["encoded"] == 0
    status = [json.loads(line) for line in run("index", "status", "--json").stdout.splitlines()]
    assert [one["state"] for one in status] == ["", "served"]
    assert status[1]["generation"] == summary["id"]
    rolled = run("index", "rollback")
    assert rolled.stdout.strip() == status[0]["generation"]
    assert run("index", "rollback", summary["id"]).returncode == 0
    collected = run("index", "gc", "--keep", "0")
    assert collected.stdout.strip() == status[0]["generation"]
    assert run("index", "verify").stdout.startswith(f"{summary['id']}: whole")
    removed = run("index", "remove", "sample/harbour-courier/bridge-cost", "--json")
    assert json.loads(removed.stdout)["counts"]["articles"] == summary["counts"]["articles"] - 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("index", "build", "missing"), 1, "missing: no such file or folder"),
        (("index", "build", "nothing"), 1, "no article to index"),
        (("index", "add", "good.txt"), 3, "holds no index"),
        (("search", "a"), 3, "holds no index; run: dateline index build"),
        (("ask", "a"), 3, "holds no index"),
        (("serve",), 3, "holds no index"),
        (("index", "status"), 3, "holds no index"),
        (("index", "rollback"), 3, "holds no index"),
        (("index", "verify"), 3, "holds no index"),
        (("search", ""), 2, "query: is empty"),
        (("search", "a", "--limit", "0"), 2, "limit"),
        (("search", "a", "--limit", "1000000000"), 2, "limit"),
        (("search", "a", "--after", "soon"), 2, "published_after"),
        (("search", "a", "--after", "2026-02-02", "--before", "2026-02-01"), 2, "is later than"),
        (("search",), 2, "Missing argument"),
        (
            ("index", "build", "good.txt", "--model", "no/such-model-anywhere"),
            1,
            "not to be had from the hub",
        ),
        (("serve", "--port", "99999"), 2, "port"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_a_mistake_ends_with_its_message_and_code(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "good.txt").write_text("The council met on Monday and agreed.", encoding="utf-8")
    result = run(*arguments, HF_HUB_OFFLINE="1")
    assert result.returncode == code, result.stderr
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_mistyped_setting_is_named(run: Run, tmp_path: Path) -> None:
    assert "DATELINE_PROT: no such setting" in run("config", "show", DATELINE_PROT="1").stderr
    (tmp_path / "dateline.toml").write_text("prot = 1", encoding="utf-8")
    mistyped = run("config", "show")
    assert mistyped.returncode == 2
    assert "prot" in mistyped.stderr


def test_config_show_tells_where_each_value_comes_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "dateline.toml").write_text("passage_tokens = 150\nport = 9000\n", encoding="utf-8")
    shown = run("config", "show", "--json", "--index", "elsewhere", DATELINE_PORT="9001")
    rows = {one["setting"]: one for one in map(json.loads, shown.stdout.splitlines())}
    assert (rows["index"]["value"], rows["index"]["set_by"]) == ("elsewhere", "flag")
    assert (rows["port"]["value"], rows["port"]["set_by"]) == ("9001", "DATELINE_PORT")
    assert (rows["passage_tokens"]["value"], rows["passage_tokens"]["set_by"]) == ("150", "dateline.toml")
    assert rows["host"]["set_by"] == "default"


def test_doctor_is_content_with_a_sound_index_and_names_what_is_wrong_with_another(
    run: Run, seed_index: Path, tmp_path: Path
) -> None:
    sound = run("doctor", "--index", seed_index, DATELINE_PORT="0")
    assert sound.returncode == 0, sound.stdout
    broken = Path(shutil.copytree(seed_index, tmp_path / "broken"))
    next(broken.glob("generations/*/vectors/*.vectors")).write_bytes(b"IxFI")
    told = run("doctor", "--index", broken, DATELINE_PORT="0")
    assert told.returncode == 1
    assert "000001.vectors" in told.stdout
    assert "dateline index build" in told.stdout


def test_a_bad_line_is_named_skipped_and_counted_and_strict_stops_there(
    run: Run, seed_index: Path, tmp_path: Path
) -> None:
    shutil.copytree(seed_index, tmp_path / "index")
    lines = [
        '{"id": "a", "text": "The council met on Monday."}',
        '{"id": "b", "text": ',
        '{"id": "c"}',
        "[1]",
    ]
    (tmp_path / "feed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    strict = run("index", "build", "feed.jsonl", "--strict")
    assert strict.returncode == 1
    assert "feed.jsonl:2: is not JSON" in strict.stderr
    lenient = run("index", "build", "feed.jsonl")
    assert lenient.returncode == 0
    assert "1 articles (1 undated)" in lenient.stdout
    assert "3 skipped" in lenient.stdout
    for where in (
        "feed.jsonl:2: is not JSON",
        "feed.jsonl:3: has no text",
        "feed.jsonl:4: is no JSON object",
    ):
        assert where in lenient.stderr


def test_an_unreadable_date_is_said_and_the_article_kept(run: Run, seed_index: Path, tmp_path: Path) -> None:
    shutil.copytree(seed_index, tmp_path / "index")
    record = {"id": "a", "text": "The council met on Monday.", "date": "the ides of March"}
    (tmp_path / "one.jsonl").write_text(json.dumps(record), encoding="utf-8")
    built = run("index", "build", "one.jsonl")
    assert "'the ides of March' cannot be read; it is kept undated" in built.stderr
    assert "1 articles (1 undated)" in built.stdout


def _commands(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    nested = getattr(command, "commands", None)
    if nested is None:
        return [path]
    return [found for name, below in nested.items() for found in _commands(below, (*path, name))]


def test_every_command_has_help_with_an_example_and_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = _commands(typer.main.get_command(app))
    assert len(commands) >= 12
    for path in commands:
        shown = CliRunner().invoke(app, [*path, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.output or path[0] == "config", path
        assert f"dateline {' '.join(path)}" in readme, f"dateline {' '.join(path)} is not in the README"


def test_a_taken_port_ends_with_its_message(run: Run, seed_index: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--index", seed_index, "--port", str(port))
    assert result.returncode == 2
    assert f"127.0.0.1:{port}: cannot be served on" in result.stderr


def test_an_index_folder_that_is_a_file_ends_with_a_message(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    result = run("index", "build", SEEDS, "--index", "file")
    assert result.returncode == 1
    assert result.stderr.startswith("error: file")
    assert "Traceback" not in result.stderr
