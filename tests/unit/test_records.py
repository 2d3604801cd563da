"""Tables, feeds, mails, PDFs, crawls: what each holds, read as it is written and as it should not be."""

import csv
import gzip
import io
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from indexer.errors import SourceError
from indexer.models import Origin, RawArticle
from indexer.sources import Intake, Offer, feed, mail, pdf, read, sitemap, warc
from indexer.sources.decoding import NotTextError, decode
from indexer.sources.document import Document, NoArticleError
from tests import newsroom
from tests.newsroom import STORIES, page, warc_record

STORY = STORIES["warc"]


class Told:
    def __init__(self) -> None:
        self.skipped: list[str] = []

    def __call__(self, origin: Origin, reason: str) -> None:
        self.skipped.append(f"{origin}: {reason}")


@pytest.fixture
def told() -> Told:
    return Told()


def read_file(path: Path, told: Told, columns: Mapping[str, str] | None = None) -> list[RawArticle]:
    intake = Intake(warn=told.skipped.append)
    return list(read(Offer((path,), columns=columns or {}), intake))


# Tables.

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=40)
@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8), delimiter=st.sampled_from(",;\t|"))
def test_every_row_of_a_table_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    file = tmp_path_factory.mktemp("csv") / "table"
    with file.open("w", encoding="utf-8", newline="") as stream:
        written = csv.writer(stream, delimiter=delimiter)
        written.writerows([("headline", "body"), *rows])
    articles = read_file(file, Told())
    assert [(one.title, one.text) for one in articles] == [
        (title.strip(), text.strip()) for title, text in rows
    ]
    assert len({one.place for one in articles}) == len(rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_in_its_encoding(tmp_path: Path, told: Told, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("title;text\r\nCafé;“Größe” zählt\r\n".encode(encoding))
    (article,) = read_file(tmp_path / "t.csv", told)
    assert (article.title, article.text) == ("Café", "“Größe” zählt")


def test_a_row_of_another_length_is_named_and_the_others_are_read(tmp_path: Path, told: Told) -> None:
    (tmp_path / "t.csv").write_text("title,text\na,b\nonly one\n\nc,d,e\nf,g\n", encoding="utf-8")
    assert [one.text for one in read_file(tmp_path / "t.csv", told)] == ["b", "g"]
    assert [message.split("t.csv:")[1] for message in told.skipped] == [
        "3: has 1 fields, the header 2",
        "5: has 3 fields, the header 2",
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_columns_of_any_name_are_mapped(tmp_path: Path, told: Told, kind: str) -> None:
    file = tmp_path / "table"
    if kind == "csv":
        file.write_text("story_body,kicker,n\nThe story.,Its kicker,1\n", encoding="utf-8")
    elif kind == "jsonl":
        file.write_text('{"story_body": "The story.", "kicker": "Its kicker", "n": 1}\n', encoding="utf-8")
    else:
        parquet.write_table(
            pa.table({"story_body": ["The story."], "kicker": ["Its kicker"], "n": [1]}), file
        )
    columns = {"text": "story_body", "title": "kicker"}
    (article,) = read_file(file, told, columns)
    assert (article.text, article.title) == ("The story.", "Its kicker")
    assert "kicker" in article.found["title"]
    with pytest.raises(SourceError, match=r"has no column 'body' for the text; it has story_body, kicker, n"):
        read_file(file, told, {"text": "body", "title": "kicker"})


def test_a_parquet_of_several_batches_is_read_and_only_what_is_wanted_of_it(
    tmp_path: Path, told: Told
) -> None:
    file = tmp_path / "many.parquet"
    texts = [f"Story {number}." for number in range(700)]
    table = pa.table(
        {
            "text": texts,
            "vector": [[1.0, 2.0]] * 700,
            "date": pa.array([1_700_000_000] * 700, pa.timestamp("s")),
        }
    )
    parquet.write_table(table, file, row_group_size=300)
    articles = read_file(file, told)
    assert [one.text for one in articles] == texts
    assert articles[0].published == "2023-11-14T22:13:20"


# Feeds and sitemaps.


def test_entries_without_a_text_are_named_and_damage_costs_what_follows_it(told: Told) -> None:
    items = "<item><title>A</title><description>First.</description></item><item><title>B</title></item>"
    whole = f"<rss version='2.0'><channel>{items}</channel></rss>".encode()
    assert [one.text for one in feed.read(io.BytesIO(whole), "f", "f", told)] == ["First."]
    assert told.skipped == [f"{Origin('f', 2, 'entry')}: has no text"]
    told.skipped.clear()
    cut = whole.replace(b"<item><title>B</title></item></channel></rss>", b"<item><title>B & </ti")
    assert next(feed.read(io.BytesIO(cut), "f", "f", told)).text == "First."
    list(feed.read(io.BytesIO(cut), "f", "f", told))
    assert "is damaged" in told.skipped[-1]


def test_a_sitemap_tells_its_pages_and_expands_nothing() -> None:
    found = sitemap.read(
        b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><urlset>
        <url><loc>https://x.test/a</loc><lastmod>2024-01-01</lastmod></url>
        <url><loc>&f;</loc></url><url><loc>ftp://x.test/b</loc></url></urlset>"""
    )
    assert found.pages == ({"url": "https://x.test/a"},)


# Mails.


def letter(body: str, *headers: str) -> Document:
    head = "From: News <news@x.test>\nTo: b@x.test\nSubject: The subject\nMIME-Version: 1.0\n"
    content = f"{head}{''.join(one + chr(10) for one in headers)}\n{body}"
    return Document(content.encode(), Origin("a.eml"), "a")


def test_a_mails_signature_goes_and_its_story_stays() -> None:
    article = mail.read(letter("The council met.\nIt rose late.\n-- \nNews desk\n"))
    assert article.text.strip() == "The council met.\nIt rose late."
    assert (article.title, article.author, article.source) == ("The subject", "News", "x.test")


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Type: text/plain; charset=klingon",),
        ("Content-Type: multipart/mixed; boundary=x",),
        ("Content-Transfer-Encoding: base64", "Content-Type: text/plain"),
        ("Date: not a date", "Message-ID: <<>>"),
    ],
)
def test_a_mail_in_poor_shape_is_read_or_refused(headers: tuple[str, ...]) -> None:
    with suppress(NoArticleError):
        assert mail.read(letter("The council met.", *headers)).text


# PDFs.


def test_a_head_on_every_page_goes_and_a_sentence_over_two_pages_is_one() -> None:
    lines = ["The Coast Ledger", "Page 1", *newsroom._pdf_lines(STORIES["pdf"])]
    article = pdf.read(Document(newsroom.pdf(lines), Origin("a.pdf"), "a"))
    assert "smallest share since counting began in 1998" in " ".join(article.text.split())


# Crawls.


def crawl(records: list[bytes], *, packed: bool) -> bytes:
    return b"".join(gzip.compress(record) if packed else record for record in records)


def pages_of(content: bytes, told: Callable[[Origin, str], None]) -> Iterator[Document]:
    return warc.read(io.BytesIO(content), "crawl", "crawl.warc", told)


RECORDS = [warc_record(f"https://x.test/{number}", page(STORY)) for number in range(4)]
PLACES = [f"x.test/{number}" for number in range(4)]


@pytest.mark.parametrize("packed", [False, True])
def test_every_page_of_a_crawl_is_read(told: Told, packed: bool) -> None:
    found = list(pages_of(crawl(RECORDS, packed=packed), told))
    assert [one.place for one in found] == PLACES
    assert found[0].content == page(STORY).encode()
    assert found[0].known == {"url": "https://x.test/0", "seen": "2024-01-02T03:04:05Z"}
    assert told.skipped == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["404 Not Found", "301 Moved"])
def test_what_was_no_success_is_no_article(told: Told, packed: bool, kind: str) -> None:
    records = [warc_record("https://x.test/gone", "gone", status=kind), RECORDS[0]]
    assert [one.place for one in pages_of(crawl(records, packed=packed), told)] == PLACES[:1]
    assert told.skipped == []


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_record_that_lies_about_its_length_costs_no_other(told: Told, packed: bool, at: int) -> None:
    records = list(RECORDS)
    records[at] = warc_record(f"https://x.test/{at}", page(STORY), lie=10**6)
    found = [one.place for one in pages_of(crawl(records, packed=packed), told)]
    assert set(PLACES) - {PLACES[at]} <= set(found)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_crawl_ends_and_names_the_damage_and_whole_records_behind_it_are_read(
    told: Told, packed: bool, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    content = bytearray(crawl(RECORDS, packed=packed))
    first = len(crawl(RECORDS[:1], packed=packed))
    if seed % 2:
        content[chance.randrange(first)] ^= 1 << chance.randrange(8)
    else:
        start = chance.randrange(20, first - 20)
        del content[start : start + 15]
    found = [one.place for one in pages_of(bytes(content), told)]
    assert found[-2:] == PLACES[2:]


@pytest.mark.parametrize("packed", [False, True])
def test_a_crawl_that_is_cut_off_says_so(told: Told, packed: bool) -> None:
    content = crawl(RECORDS, packed=packed)
    for end in range(len(content) - 60, 100, -397):
        told.skipped.clear()
        found = [one.place for one in pages_of(content[:end], told)]
        assert found == PLACES[: len(found)]
        assert len(found) == 4 or told.skipped


# Encodings.


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_what_was_encoded_is_decoded(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).removeprefix("\ufeff") == text.removeprefix("\ufeff")


def test_a_file_put_together_from_two_encodings_is_read_line_by_line() -> None:
    lines = ["Größe zählt.", "Ein Café in Łódź.", "Übrigens: “ja”."] * 4
    mixed = "\n".join(lines).encode() + b"\n" + "Schöne Grüße".encode("cp1252")
    assert decode(mixed) == "\n".join([*lines, "Schöne Grüße"])


@given(st.binary(max_size=400), st.sampled_from(["", "utf-8", "klingon", "koi8-r", "utf-16"]))
def test_any_bytes_are_text_or_refused(content: bytes, declared: str) -> None:
    with suppress(NotTextError):
        assert "\0" not in decode(content, declared)
