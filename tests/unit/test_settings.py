"""Where a setting comes from, and what is said of one that makes no sense."""

import os
from itertools import product
from pathlib import Path

import pytest

from indexer.errors import UsageError
from service.settings import Settings, config_file, load, origin


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("DATELINE_"):
            monkeypatch.delenv(name)


def toml(content: str, name: str = "dateline.toml") -> Path:
    path = Path(name)
    path.write_text(content, encoding="utf-8")
    return path


def test_nothing_set_gives_the_defaults() -> None:
    found = load()
    assert (found.port, found.index, found.min_confidence) == (8000, Path("index"), 0.82)
    assert found.workers >= 1
    assert origin("port", {}) == "default"


@pytest.mark.parametrize(("in_flag", "in_environment", "in_toml"), list(product([False, True], repeat=3)))
def test_flag_beats_environment_beats_toml_beats_default(
    in_flag: bool, in_environment: bool, in_toml: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (8000, "default")
    if in_toml:
        toml("port = 7001\n")
        expected = (7001, "dateline.toml")
    if in_environment:
        monkeypatch.setenv("DATELINE_PORT", "7002")
        expected = (7002, "DATELINE_PORT")
    flags = {"port": 7003} if in_flag else {}
    if in_flag:
        expected = (7003, "flag")
    assert (load(**flags).port, origin("port", flags)) == expected


def test_a_flag_that_was_not_given_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_PORT", "7002")
    assert load(port=None).port == 7002


def test_a_flag_may_be_false_or_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_PORT", "7002")
    assert load(port=0, min_confidence=0.0) == load(port="0", min_confidence="0")
    assert load(port=0).port == 0


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_PROT", "7002")
    with pytest.raises(UsageError, match="DATELINE_PROT: no such setting"):
        load()


def test_variables_of_others_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINES_PORT", "7002")
    monkeypatch.setenv("DATELINE_EVAL", "somewhere")
    assert load().port == 8000


def test_an_unknown_key_is_named_with_its_file() -> None:
    toml("prot = 7001\n")
    with pytest.raises(UsageError, match=r"^prot: .*\(set by dateline\.toml\)"):
        load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "http"),
        ("port", "-1"),
        ("port", "65536"),
        ("workers", "0"),
        ("passage_tokens", "15"),
        ("keep_generations", "0"),
        ("max_body_bytes", "1"),
        ("min_confidence", "1.1"),
        ("min_confidence", "nan"),
        ("host", ""),
        ("model", ""),
    ],
)
def test_a_bad_value_names_the_setting_and_where_it_was_set(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = toml(f'{name} = "{value}"\n')
    with pytest.raises(UsageError, match=rf"^{name}: .*\(set by dateline\.toml\)"):
        load()
    path.unlink()
    with pytest.raises(UsageError, match=rf"^{name}: .*\(set by flag\)"):
        load(**{name: value})
    monkeypatch.setenv(f"DATELINE_{name.upper()}", value)
    with pytest.raises(UsageError, match=rf"^{name}: .*\(set by DATELINE_{name.upper()}\)"):
        load()


def test_the_file_that_is_named_is_read_instead_of_the_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    toml("port = 7001\n")
    other = toml("port = 7005\n", "other.toml")
    monkeypatch.setenv("DATELINE_CONFIG", str(other))
    assert config_file() == other
    assert load().port == 7005
    assert origin("port", {}) == "other.toml"


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATELINE_CONFIG", "missing.toml")
    with pytest.raises(UsageError, match=r"missing\.toml: no such file; mend DATELINE_CONFIG"):
        load()


def test_a_file_that_is_not_toml_is_named() -> None:
    toml("port: 7001\n")
    with pytest.raises(UsageError, match=r"dateline\.toml: is not TOML"):
        load()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_described(name: str) -> None:
    assert Settings.model_fields[name].description


def test_a_file_that_is_no_utf_8_is_named() -> None:
    Path("dateline.toml").write_bytes(b'host = "caf\xe9"')
    with pytest.raises(UsageError, match=r"dateline\.toml: is not TOML"):
        load()


def test_tables_and_lists_are_set_in_the_file_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    toml('columns = { text = "story_body" }\ntrusted_sources = ["Meridian Wire", "Echo"]\n')
    found = load()
    assert found.columns == {"text": "story_body"}
    assert found.trusted_sources == ("Meridian Wire", "Echo")
    monkeypatch.setenv("DATELINE_COLUMNS", '{"title": "kicker"}')
    assert load().columns == {"text": "story_body", "title": "kicker"}
    assert load(columns={"text": "body"}).columns["text"] == "body"


@pytest.mark.parametrize(
    "value", ['{"colour": "blue"}', '{"text": 5}', "text=story_body", "[]", '"text"', "{", ""]
)
def test_columns_that_make_no_sense_are_named_with_where_they_were_set(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATELINE_COLUMNS", value)
    with pytest.raises(UsageError, match=r"^columns.*DATELINE_COLUMNS"):
        load()
