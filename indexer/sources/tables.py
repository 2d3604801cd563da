"""Tables: CSV with a header, and Parquet; one article a row."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO

from indexer.models import Origin, RawArticle
from indexer.sources.document import Skip
from indexer.sources.fields import article_from, check_columns, knows

_DELIMITERS = ",;\t|"
_PARQUET = b"PAR1"
_ROWS = 256  # of a Parquet file in memory at a time
_LONGEST_CELL = 16 << 20  # characters
csv.field_size_limit(_LONGEST_CELL)


def recognises_csv(start: bytes, columns: Mapping[str, str]) -> bool:
    """A header line names at least two of an article's fields, its text among them."""
    delimiter, names = _header(start)
    mapped = {column.casefold() for column in columns.values()}
    fields = {knows(name) or ("text" if name.casefold() in mapped else "") for name in names} - {""}
    return bool(delimiter) and "text" in fields and (len(fields) > 1 or len(mapped) > 0)


def _header(start: bytes) -> tuple[str, list[str]]:
    line = _text(start).splitlines()[:1]
    if not line:
        return "", []
    delimiter = max(_DELIMITERS, key=line[0].count)
    if not line[0].count(delimiter):
        return "", []
    with suppress(csv.Error):
        return delimiter, next(csv.reader(line, delimiter=delimiter))
    return "", []


def _text(content: bytes) -> str:
    return content.decode(_encoding(content), errors="replace")


def _encoding(start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        # A character may be cut in two at the end of what was looked at.
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def read_csv(
    stream: io.BufferedReader, place: str, file: str, skip: Skip, columns: Mapping[str, str]
) -> Iterator[RawArticle]:
    """One article a row; a row of another length than the header goes to `skip` with its line."""
    start = stream.peek()
    delimiter, names = _header(start)
    check_columns(columns, names, file)
    with io.TextIOWrapper(stream, _encoding(start), errors="replace", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        next(rows)
        while True:
            origin = Origin(file, rows.line_num + 1)
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                skip(origin, f"is no CSV ({error}); is a quotation mark left open?")
                continue
            if not row:
                continue
            if len(row) != len(names):
                skip(origin, f"has {len(row)} fields, the header {len(names)}")
            else:
                yield article_from(
                    dict(zip(names, row, strict=True)), f"{place}:{origin.at}", origin, columns
                )


def recognises_parquet(start: bytes) -> bool:
    return start.startswith(_PARQUET)


def read_parquet(
    stream: BinaryIO, place: str, file: str, skip: Skip, columns: Mapping[str, str]
) -> Iterator[RawArticle]:
    """One article a row, some hundred rows in memory at a time; the stream has to be seekable."""
    import pyarrow as pa  # noqa: PLC0415  loads long, and few collections need it
    from pyarrow.parquet import ParquetFile  # noqa: PLC0415

    number = 0
    try:
        table = ParquetFile(stream, pre_buffer=False)
        names = table.schema_arrow.names
        check_columns(columns, names, file)
        wanted = [name for name in names if knows(name) or name in columns.values() or name == "metadata"]
        for batch in table.iter_batches(_ROWS, columns=wanted, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield article_from(row, f"{place}:{number}", Origin(file, number, "row"), columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        skip(Origin(file, number + 1, "row"), f"cannot be read on from here ({str(error)[:200]})")
