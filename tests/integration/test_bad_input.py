"""Whatever lies among the articles: it is named, nothing else is lost, and the index stays as it was."""

import gzip
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from service.cli import main
from service.retrieval import SearchQuery, search
from tests.newsroom import STORIES, page, pdf, warc_record, write_newsroom

_ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{("&" + before + ";") * 10}">'
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)
ENTITY_FEED = (
    f"<?xml version='1.0'?>{_ENTITIES}]><rss version='2.0'><channel>"
    "<item><title>&k;</title><description>&k;</description></item></channel></rss>"
)
ENTITY_SITEMAP = (
    f"<?xml version='1.0'?>{_ENTITIES}]><urlset><url><loc>https://x.test/&k;</loc></url></urlset>"
)
OUTSIDE = (
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><rss version='2.0'><channel>"
    "<item><title>Out</title><description>&f;</description></item></channel></rss>"
)
EMPTY_PAGE = (
    "<html><head><title>Loading</title></head><body><script>render()</script><div id=app></div></body></html>"
)
PAGE = page(STORIES["warc"])
RECORD = warc_record("https://ferry.example/winter", PAGE)

# By file: what it holds, and what is said of it.
BAD: dict[str, tuple[bytes, str]] = {
    "empty.txt": (b"", "the file is empty"),
    "blank.jsonl": (b" \n\n", "the file is empty"),
    "huge.txt": (b"The council met again. " * 2_300_000, "holds more than 16 MiB"),
    "huge.jsonl": (
        json.dumps({"text": "The council met. " * 3_000_000}).encode(),
        "holds more than 16 million",
    ),
    "picture.html": (b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)) * 8, "is no text file"),
    "archive.txt": (b"PK\x03\x04" + bytes(64), "is a ZIP archive: unpack it first"),
    "no-text.html": (EMPTY_PAGE.encode(), "is a page without a text"),
    "scan.pdf": (pdf([]), "has no text layer, it is a scan: run OCR first"),
    "locked.pdf": (pdf(["The council met."], encrypted=True), "is encrypted: remove its password"),
    "cut.pdf": (b"%PDF-1.4\n1 0 obj\n<< /Type", "is a PDF that cannot be read"),
    "bomb.txt.gz": (gzip.compress(b"0" * (200 << 20)), "holds more than 16 MiB"),
    "bomb.jsonl.gz": (
        gzip.compress((b" " * 999 + b"\n") * 50_000),
        "unpacks to more than 250 times its size",
    ),
    "cut.jsonl.gz": (gzip.compress(os.urandom(5000))[:2000], "is damaged: it cannot be unpacked"),
    "bad.jsonl": (b'{"text": \n[1, 2]\n', "bad.jsonl:2: is no JSON object"),
    "no-text.jsonl": (b'{"id": "a", "title": "Only a title"}\n', "no-text.jsonl:1: has no text"),
    "entities.rss": (ENTITY_FEED.encode(), "declares entities that are made of others"),
    "entities.xml": (ENTITY_SITEMAP.encode(), "entities.xml"),
    "outside.rss": (OUTSIDE.encode(), "declares entities that are made of others or of files"),
    "other.xml": (b"<?xml version='1.0'?><invoice/>", "is XML, but neither a page, a feed nor a sitemap"),
    "cut.warc": (RECORD[: len(RECORD) // 2], "is cut off"),
    "cut.warc.gz": (gzip.compress(RECORD)[:300], "is damaged from here on"),
    "lying.warc": (warc_record("https://x.test/", EMPTY_PAGE, lie=10**15), "is a page without a text"),
    "bomb.warc.gz": (
        gzip.compress(warc_record("https://x.test/", b"<p>" + b"0" * (40 << 20))),
        "holds more than 16 MiB",
    ),
    "failed.warc": (warc_record("https://x.test/", PAGE, status="404 Not Found"), "no article to index"),
    "columns.csv": (b'text,title\n"one two three,The open quote\n', "columns.csv"),
    "not.parquet": (b"PAR1" + b"\0" * 64, "not.parquet"),
    "empty.eml": (
        b"From: a@x.test\nTo: b@x.test\nSubject: x\nMIME-Version: 1.0\n\n",
        "is a mail without a text",
    ),
}


@pytest.fixture
def dateline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """The console script: exit code, and what it says on stderr in one line."""

    def run(*arguments: str | Path) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dateline", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        return int(code or 0), " ".join(capsys.readouterr().err.split())

    return run


@pytest.fixture(scope="module")
def index(seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("bad") / "index"))


def contents(index: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in index.rglob("*") if path.is_file() and path.name != "LOCK"
    }


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("strict", [False, True])
def test_bad_input_alone_ends_the_build_with_its_name_and_leaves_the_index(
    dateline: Callable[..., tuple[int, str]], index: Path, tmp_path: Path, name: str, strict: bool
) -> None:
    content, reason = BAD[name]
    (tmp_path / name).write_bytes(content)
    before = contents(index)
    code, said = dateline("index", "build", tmp_path, "--index", index, *(["--strict"] if strict else []))
    assert code == 1
    assert reason in said or (strict and name in said)
    assert "Traceback" not in said
    assert contents(index) == before


@pytest.mark.parametrize("kind", ["missing", "pipe", "circle", "socket", "folder"])
def test_a_path_that_is_no_file_is_refused_and_the_index_left(
    dateline: Callable[..., tuple[int, str]], index: Path, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "socket":
        os.mknod(path, 0o140644)
    elif kind == "folder":
        path.mkdir()
        path.chmod(0)
        path = path / "story.txt"
    before = contents(index)
    code, said = dateline("index", "build", path, "--index", index)
    assert code == 1
    assert said.startswith(f"error: {path}: ")
    assert contents(index) == before


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that fails when it is read")
def test_a_file_that_fails_when_it_is_read_is_named(
    dateline: Callable[..., tuple[int, str]], index: Path, tmp_path: Path
) -> None:
    (tmp_path / "failing.txt").symlink_to("/proc/self/mem")
    before = contents(index)
    code, said = dateline("index", "build", tmp_path, "--index", index)
    assert code == 1
    assert "failing.txt: cannot be read (Input/output error)" in said
    assert contents(index) == before


def test_articles_that_are_all_one_are_one_story(
    dateline: Callable[..., tuple[int, str]], seed_index: Path, tmp_path: Path
) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    for number in range(5):
        (tmp_path / f"copy-{number}.html").write_text(PAGE, encoding="utf-8")
    assert dateline("index", "build", tmp_path / "copy-0.html", "--index", index)[0] == 0
    assert dateline("index", "build", *sorted(tmp_path.glob("*.html")), "--index", index)[0] == 0
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as generation:
        (story,) = generation.corpus.stories()
        assert len(story) == generation.manifest.counts["articles"] == 5
        assert len(search(generation, SearchQuery(STORIES["warc"].question)).hits) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "nothing to read: give PATH"),
        (("good.jsonl", "--column", "text"), 2, "--column text: say which field"),
        (("good.jsonl", "--column", "colour=blue"), 2, "columns"),
        (("good.jsonl", "--column", "text=story"), 1, "has no column 'story' for the text; it has id, text"),
        (("*.pdf",), 1, "matches no file"),
        (("good.jsonl", "--report", "missing/report.jsonl"), 1, "missing/report.jsonl"),
        (("--from-feed", "ftp://x.test/feed"), 1, "is no http or https address"),
        (("--from-feed", "http://127.0.0.1:1/feed"), 1, "is not public"),
    ],
)
def test_a_mistaken_command_is_told_why_and_the_index_left(
    dateline: Callable[..., tuple[int, str]],
    index: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.jsonl").write_text('{"id": "a", "text": "The council met on Monday."}\n', encoding="utf-8")
    before = contents(index)
    ended, said = dateline("index", "build", *arguments, "--index", index)
    assert (ended, message in said) == (code, True), said
    assert contents(index) == before


def test_among_bad_files_every_good_one_is_read_and_the_report_adds_up(
    dateline: Callable[..., tuple[int, str]], seed_index: Path, tmp_path: Path
) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    folder = tmp_path / "inbox"
    write_newsroom(folder)
    for name, (content, _) in BAD.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe")
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "up").symlink_to(folder)
    report = tmp_path / "report.jsonl"
    code, said = dateline("index", "build", folder, "--index", index, "--report", report)
    assert code == 0, said
    assert str(report) in said
    lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    named = {Path(line["file"]).name for line in lines}
    assert named == {*BAD, "pipe", "circle"} - {"failed.warc"}
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as generation:
        counts = generation.manifest.counts
        assert counts["articles"] == len(STORIES) - 1  # that of standard input
        assert counts["read"] == counts["articles"] + counts["repeated"] + counts["skipped"]
        assert counts["skipped"] == sum(line["outcome"] == "skipped" for line in lines)
        for name, story in STORIES.items():
            if name != "stdin":
                assert search(generation, SearchQuery(story.question)).hits[0].article.title == story.title
