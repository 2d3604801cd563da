"""Files and folders in poor shape or good: what is read, what is skipped, and what is said of it."""

import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from indexer.errors import SourceError
from indexer.models import Origin, RawArticle
from indexer.sources import Intake, Offer, check, jsonl, markdown, read
from indexer.sources.document import Document

DOCUMENT = Document(b"", Origin("here"), "a")


def read_all(*paths: Path, told: list[str] | None = None) -> list[RawArticle]:
    """Every article; `told` is given the warnings, without it nothing may be skipped."""
    intake = Intake(strict=True) if told is None else Intake(warn=told.append)
    return list(read(Offer(paths), intake))


def places(articles: Iterable[RawArticle]) -> list[str]:
    return [article.id or article.place for article in articles]


def skipped_at(told: list[str]) -> list[str]:
    return [one.removeprefix("skipped ").split(": ")[0] for one in told]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def front_matter(fields: str) -> RawArticle:
    return markdown.read(f"---\n{fields}\n---\nThe story.\n", DOCUMENT)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.jsonl", "a.json", "a", "a.log"])
def test_json_lines_are_known_by_content(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / name, lines({"id": "x", "text": "One."}, {"id": "y", "text": "Two."}))
    assert [(article.id, article.text) for article in read_all(file)] == [("x", "One."), ("y", "Two.")]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.log"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_front_matter_is_known_by_content(tmp_path: Path, name: str, end: str) -> None:
    content = "---\ntitle: A title\ndate: 2025-01-02\n---\nThe **story**.\n".replace("\n", end)
    (article,) = read_all(write(tmp_path / name, content))
    assert (article.title, article.published, article.text) == ("A title", "2025-01-02", "The story.")


def test_what_is_neither_is_plain_text(tmp_path: Path) -> None:
    (article,) = read_all(write(tmp_path / "a.data", "16 Oct, 2023\nThe **story** {as it is}.\n"))
    assert article.text == "16 Oct, 2023\nThe **story** {as it is}.\n"


@pytest.mark.parametrize(
    ("fields", "name", "wanted"),
    [
        ("title: Bridge vote: council says yes", "title", "Bridge vote: council says yes"),
        ("title: No", "title", "No"),
        ("title: 12:30", "title", "12:30"),
        ("title: 007", "title", "007"),
        ("headline: 'Quoted: yes'", "title", "Quoted: yes"),
        ("date: 2026-01-14T08:30:00+01:00", "published", "2026-01-14T08:30:00+01:00"),
        ("authors:\n  - Ann Lee\n  - Bo Kay", "author", "Ann Lee, Bo Kay"),
        ("authors: [Ann Lee, Bo Kay]", "author", "Ann Lee, Bo Kay"),
        ("author:\n  name: Ann Lee\n  url: x", "author", "Ann Lee"),
        ("Publisher: The Ledger", "source", "The Ledger"),
        ("link: https://x.test/a?b=c#d", "url", "https://x.test/a?b=c#d"),
        ("id: a-7", "id", "a-7"),
    ],
)
def test_front_matter_is_taken_as_written(fields: str, name: str, wanted: str) -> None:
    assert getattr(front_matter(fields), name) == wanted


def test_one_unquoted_colon_does_not_cost_the_other_fields() -> None:
    article = front_matter('title: Vote: yes\ndate: 2025-01-02\nauthor: "Ann Lee"')
    assert (article.title, article.published, article.author) == ("Vote: yes", "2025-01-02", "Ann Lee")


def test_front_matter_builds_no_objects() -> None:
    article = front_matter("title: !!python/object/apply:os.getcwd []\nauthor: Ann Lee")
    assert str(Path.cwd()) not in article.title


def test_markdown_leaves_words_alone() -> None:
    content = (
        "# The *heading*\n\nIt is **bold** and [linked](https://x.test) and `code`,\nstill one paragraph.\n\n"
        "![caption](x.png)\n\n- first\n- second\n\n> quoted\n\n***\n\n    indented\n"
    )
    found = markdown.read(content, DOCUMENT).text
    words = "The heading It is bold and linked and code, still one paragraph. first second quoted indented"
    assert found.split() == words.split()
    assert "It is bold and linked and code, still one paragraph." in found.split("\n\n")


def test_markdown_keeps_the_words_of_html_and_of_tables_and_drops_the_tags() -> None:
    content = (
        "<div class='x'>Block &amp; text</div>\n\nH<sub>2</sub>O is *wet*.\n\n<!-- unseen -->\n\n"
        "<script>run()</script>\n\n| town | homes |\n|--|--|\n| Saltmarsh | 17 |\n"
    )
    words = "Block & text H2O is wet. town homes Saltmarsh 17"
    assert markdown.read(content, DOCUMENT).text.split() == words.split()


MIXED = '{"id": "x", "text": "One."}\n{"id": \n\n[1, 2]\n{"id": "y", "text": "Two."}\n'


def test_a_bad_line_is_named_skipped_and_counted(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", MIXED)
    report = io.StringIO()
    intake = Intake(report=report)
    assert places(read(Offer((file,)), intake)) == ["x", "y"]
    records = [json.loads(line) for line in report.getvalue().splitlines()]
    assert [(record["file"], record["offset"]) for record in records] == [(str(file), 2), (str(file), 4)]
    assert all(record["outcome"] == "skipped" and record["reason"] for record in records)
    assert (intake.offered, intake.skipped) == (4, 2)


def test_strict_reading_ends_at_the_first_bad_line(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", MIXED)
    with pytest.raises(SourceError, match=r"a\.jsonl:2: is not JSON"):
        read_all(file)


def test_a_line_that_is_not_utf_8_costs_that_line_alone(tmp_path: Path) -> None:
    good = lines({"id": "x", "text": "One."}).encode()
    file = write(tmp_path / "a.jsonl", good + b'{"text": "caf\xe9"}\n' + good)
    told: list[str] = []
    assert len(read_all(file, told=told)) == 2
    assert told == [f"skipped {file}:2: is not UTF-8 (byte 14 of the line)"]


def test_a_deeply_nested_line_costs_that_line_alone(tmp_path: Path) -> None:
    content = '{"text":' + "[" * 200_000 + "\n" + lines({"id": "x", "text": "One."})
    told: list[str] = []
    assert places(read_all(write(tmp_path / "a.jsonl", content), told=told)) == ["x"]
    assert len(told) == 1


def test_an_over_long_line_is_passed_over_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "_LONGEST_LINE", 64)
    short = {"id": "x", "text": "One."}
    file = write(tmp_path / "a.jsonl", lines(short, {"id": "y", "text": "long " * 100}, short, 3))
    told: list[str] = []
    assert places(read_all(file, told=told)) == ["x", "x"]
    assert skipped_at(told) == [f"{file}:2", f"{file}:4"]


@pytest.mark.parametrize(
    ("record", "name", "wanted"),
    [
        ({"body": "One."}, "text", "One."),
        ({"text": "", "content": "One."}, "text", "One."),
        ({"Headline": "A title"}, "title", "A title"),
        ({"authors": [{"name": "Ann Lee"}, "Bo Kay", None]}, "author", "Ann Lee, Bo Kay"),
        ({"source": {"title": "The Ledger"}}, "source", "The Ledger"),
        ({"id": 12}, "id", "12"),
        ({"author": None}, "author", ""),
        ({"author": True}, "author", ""),
    ],
)
def test_fields_are_known_by_several_names(
    tmp_path: Path, record: Mapping[str, object], name: str, wanted: str
) -> None:
    (article,) = read_all(write(tmp_path / "a.jsonl", lines(record)))
    assert getattr(article, name) == wanted


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"PK\x03\x04\x00\x00\x00\x08\xff\xfe\x00", "ZIP archive"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z archive"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "NUL"),
        (b"text\x00text", "control characters"),
        (b"<?xml version='1.0'?><invoice/>", "XML"),
        (b"\x01\x02\x03\x04", "control characters"),
        (b"\xff\xfeA", "utf-16"),
    ],
)
def test_a_file_that_is_no_text_is_skipped_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    file = write(tmp_path / "a.txt", content)
    told: list[str] = []
    assert read_all(file, told=told) == []
    assert skipped_at(told) == [str(file)]
    assert reason in told[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("content", ["“Café” costs 5 €.", "---\ntitle: Café\n---\n“Café” costs 5 €.\n"])
def test_text_is_read_in_the_encoding_it_was_written_in(tmp_path: Path, encoding: str, content: str) -> None:
    (article,) = read_all(write(tmp_path / "a.txt", content.encode(encoding)))
    assert article.text.strip() == "“Café” costs 5 €."


def test_json_lines_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = write(tmp_path / "a.txt", lines({"id": "é", "text": "One."}).encode("utf-8-sig"))
    assert [article.id for article in read_all(file)] == ["é"]


def test_pipes_links_in_circles_and_hidden_files_are_passed_by(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "One.")
    write(tmp_path / ".hidden.txt", "Hidden.")
    write(tmp_path / ".git" / "b.txt", "Hidden.")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    told: list[str] = []
    assert [article.text for article in read_all(tmp_path, told=told)] == ["One."]
    assert skipped_at(told) == [str(tmp_path / name) for name in ("itself", "nowhere", "pipe")]


def test_files_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = ["b.txt", "a/z.txt", "a/b/c.txt", "c.txt", "a.txt"]
    for name in names:
        write(tmp_path / name, "One.")
    first = places(read_all(tmp_path))
    assert sorted(first) == sorted(name.removesuffix(".txt") for name in names)
    assert first == places(read_all(tmp_path))
    assert [name for name in first if "/" not in name] == ["a", "b", "c"]


def test_an_article_without_an_id_is_called_by_its_place(tmp_path: Path) -> None:
    write(tmp_path / "in" / "city" / "bridge.v2.txt", "One.")
    write(tmp_path / "in" / "feed.jsonl", lines({"text": "Two."}))
    assert places(read_all(tmp_path / "in")) == ["feed:1", "city/bridge.v2"]
    assert places(read_all(tmp_path / "in" / "city" / "bridge.v2.txt")) == ["bridge.v2"]


def test_a_file_whose_name_is_no_utf_8_is_read_under_a_name_that_is(tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt")).write_text("One.", encoding="utf-8")
    (article,) = read(Offer((tmp_path,)), Intake())
    assert article.place == "caf?"
    assert article.origin.file.encode()


@pytest.mark.parametrize(
    "record",
    [
        '{"text": ' + "[" * 900 + '"deep"' + "]" * 900 + "}",
        '{"id": "x", "text": "One.", "author": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_what_is_nested_too_deeply_is_no_text(tmp_path: Path, record: str) -> None:
    write(tmp_path / "feed.jsonl", record)
    (article,) = read(Offer((tmp_path,)), Intake())
    assert (article.text, article.author) in {("", ""), ("One.", "")}


def test_a_path_that_cannot_be_read_is_refused_before_any_work(tmp_path: Path) -> None:
    good = write(tmp_path / "a.txt", "One.")
    os.mkfifo(tmp_path / "pipe")
    check([good, tmp_path])
    with pytest.raises(SourceError, match="missing: no such file or folder"):
        check([good, tmp_path / "missing"])
    with pytest.raises(SourceError, match="pipe: neither a regular file nor a folder"):
        check([tmp_path / "pipe"])


def test_a_pattern_that_the_shell_left_alone_is_matched(tmp_path: Path) -> None:
    for name in ("a/one.txt", "a/b/two.txt", "three.txt", "four.md"):
        write(tmp_path / name, "One.")
    assert places(read_all(tmp_path / "**" / "*.txt")) == ["two", "one", "three"]
    with pytest.raises(SourceError, match="matches no file"):
        check([tmp_path / "*.pdf"])


def test_a_file_that_goes_while_others_are_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "The first story.")
    gone = write(tmp_path / "b.txt", "The second story.")
    write(tmp_path / "c.jsonl", lines({"text": "The third story."}))
    told: list[str] = []
    reading = read(Offer((tmp_path,)), Intake(warn=told.append))
    found = [next(reading)]
    gone.unlink()
    found += reading
    assert [article.text for article in found] == ["The first story.", "The third story."]
    assert skipped_at(told) == [str(gone)]
