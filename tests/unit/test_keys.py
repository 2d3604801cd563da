"""Keys as they are kept: only what proves them, whole at any time, and told once."""

import hashlib
import io
import json
import logging
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.errors import NotFoundError, UsageError
from service.keys import KeyFile, Keys, Redacted, check_reach
from service.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def test_a_key_is_256_bits_and_only_its_hash_is_kept(file: KeyFile) -> None:
    secret = file.add("newsroom", ["search"])
    assert re.fullmatch(r"dateline_[\w-]{43}", secret)
    kept = file.path.read_text()
    assert secret not in kept
    assert secret.removeprefix("dateline_") not in kept
    assert hashlib.sha256(secret.encode()).hexdigest() in kept
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert [one.name for one in file.path.parent.iterdir()] == ["keys.json"]
    assert secret not in repr(file.read())
    assert hashlib.sha256(secret.encode()).hexdigest() not in repr(file.read())


def test_names_are_one_persons_until_they_are_revoked(file: KeyFile) -> None:
    first = file.add("newsroom", ["search"])
    with pytest.raises(UsageError, match="there is a key 'newsroom' already"):
        file.add("newsroom", ["chat"])
    file.revoke("newsroom")
    with pytest.raises(NotFoundError, match="no key 'newsroom'"):
        file.revoke("newsroom")
    assert file.add("newsroom", ["search"]) != first
    assert len(file.read()) == 1


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("name", {"name": "../x"}),
        ("name", {"name": ""}),
        ("name", {"name": "a\nb"}),
        ("scopes", {"scopes": ["search", "everything"]}),
        ("scopes", {"scopes": []}),
        ("limit", {"limit": "often"}),
        ("limit", {"limit": ""}),
    ],
)
def test_what_makes_no_sense_is_named_and_changes_nothing(
    file: KeyFile, what: str, given: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match=f"^{what}"):
        file.add(**{"name": "newsroom", "scopes": ["search"], **given})  # type: ignore[arg-type]
    assert not file.path.exists()


def test_keys_that_are_added_at_once_are_all_kept(file: KeyFile) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = list(pool.map(lambda number: file.add(f"k{number}", ["search"]), range(24)))
    keys = Keys(Settings(keys=file.path))
    assert {key.name for secret in secrets if (key := keys.holder(secret))} == {f"k{n}" for n in range(24)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format": 2, "keys": []}',
        b'{"format": 1, "keys": [{"name": "a"}]}',
        b'{"format": 1, "keys": [{"name": "a", "sha256": "dateline_secret", "scopes": ["search"]}]}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_holds_no_keys_lets_nobody_in(
    file: KeyFile, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    secret = file.add("newsroom", ["search"])
    keys = Keys(Settings(keys=file.path))
    assert keys.holder(secret)
    file.path.write_bytes(content)
    assert keys.on
    assert keys.lost
    assert keys.holder(secret) is None
    assert "nobody is let in" in caplog.text
    assert len(caplog.records) == 1
    assert "dateline_secret" not in caplog.text
    with pytest.raises(UsageError, match="holds no keys"):
        file.add("other", ["search"])
    assert file.path.read_bytes() == content


def test_a_file_that_goes_away_lets_nobody_in_until_it_is_back(file: KeyFile) -> None:
    keys = Keys(Settings(keys=file.path))
    assert keys.on  # for the file is named outright
    secret = file.add("newsroom", ["search"])
    assert keys.holder(secret)
    away = file.path.rename(file.path.with_name("away"))
    assert keys.lost
    assert keys.holder(secret) is None
    away.rename(file.path)
    assert keys.holder(secret)
    assert not keys.lost


def test_no_key_is_asked_for_where_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = Keys(Settings())
    assert [keys.on] == [False]
    KeyFile(Path("keys.json")).add("newsroom", ["search"])
    assert keys.on
    KeyFile(Path("keys.json")).revoke("newsroom")
    assert keys.on
    Path("keys.json").unlink()
    assert keys.on


def test_an_expired_key_is_none(file: KeyFile) -> None:
    secret = file.add("newsroom", ["search"], days=1)
    keys = Keys(Settings(keys=file.path))
    assert keys.holder(secret)
    contents = json.loads(file.path.read_text())
    contents["keys"][0]["expires_at"] = "2026-01-01T00:00:00Z"
    file.path.write_text(json.dumps(contents))
    assert keys.holder(secret) is None
    assert file.read()[0].expired


def test_a_limit_is_each_keys_own_and_says_when_to_come_again(file: KeyFile) -> None:
    keys = Keys(Settings(keys=file.path))
    held = [keys.holder(file.add(name, ["search"], limit="3/hour")) for name in ("a", "b")]
    for key in held:
        assert key
        assert [keys.wait_s(key) for _ in range(3)] == [0, 0, 0]
        assert 3_590 <= keys.wait_s(key) <= 3_600


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "news.example"])  # noqa: S104  what is tried
def test_others_are_served_by_key_or_on_purpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"dateline keys add NAME.*--open"):
        check_reach(Settings(host=host))
    check_reach(Settings(host=host, open=True))
    with pytest.raises(UsageError, match=r"other\.json: is not there; run: dateline keys add NAME"):
        check_reach(Settings(host=host, open=True, keys=Path("other.json")))
    KeyFile(Path("keys.json")).add("newsroom", ["search"])
    check_reach(Settings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.9.10", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.chdir(tmp_path)
    check_reach(Settings(host=host))


def test_what_is_logged_holds_no_key_whoever_wrote_it(file: KeyFile) -> None:
    secret = file.add("newsroom", ["search"])
    written = io.StringIO()
    log = logging.Logger("test")  # noqa: LOG001  one of its own
    log.addHandler(logging.StreamHandler(Redacted(written)))
    log.info("asked with %s", secret)
    log.info("%r", {"Authorization": f"Bearer {secret}"})
    log.info("authorization: bearer sk-somebody-elses")
    try:
        raise ValueError(secret)
    except ValueError:
        log.exception("it broke")
    said = written.getvalue()
    assert secret.removeprefix("dateline_")[:10] not in said
    assert "somebody" not in said
    assert "Traceback" in said
    assert said.count("[key]") == 4


def test_keys_that_go_away_before_anybody_asks_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = KeyFile(Settings().keys)
    file.add("first", ["search"])
    keys = Keys(Settings())
    file.path.unlink()
    assert keys.on
    assert keys.lost
