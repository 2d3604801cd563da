"""JSON: one article a line, or one document that holds a list of them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from indexer.models import Origin, RawArticle
from indexer.sources.document import Skip
from indexer.sources.fields import article_from, check_columns

_LONGEST_LINE = 64 << 20  # bytes; a longer line is no article, and would have to fit in memory
_OBJECT = re.compile(rb'\s*\{\s*"')
_ARRAY = re.compile(rb"\s*\[\s*[{\]]")
_LISTS = ("articles", "items", "docs", "documents", "results", "data")
_MARK = b"\xef\xbb\xbf"


def recognises(start: bytes, suffix: str) -> bool:
    start = start.removeprefix(_MARK)
    return suffix.lower() in {".jsonl", ".ndjson"} or bool(_OBJECT.match(start) or _ARRAY.match(start))


def read(
    stream: BinaryIO, place: str, file: str, skip: Skip, columns: Mapping[str, str]
) -> Iterator[RawArticle]:
    """One article a line; a line that is none goes to `skip` with its number.

    A file that is one document, over several lines, is read as a whole. A record without an id or url is
    called by its line: `place:12`. Raises SourceError where the first record lacks one of `columns`.
    """
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
            if _is_document(line):
                yield from _document(line + stream.read(_LONGEST_LINE), place, file, skip, columns)
                return
        origin = Origin(file, number)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            skip(origin, f"the line is longer than {_LONGEST_LINE >> 20} MiB")
        elif line.strip():
            try:
                record = json.loads(line.decode())
            except UnicodeDecodeError as error:
                skip(origin, f"is not UTF-8 (byte {error.start + 1} of the line)")
            except (ValueError, RecursionError) as error:
                skip(origin, f"is not JSON ({error})")
            else:
                yield from _article(record, place, origin, skip, columns)


def _is_document(first_line: bytes) -> bool:
    """Whether a first line only begins something: an array, or an object that goes on below."""
    return bool(_ARRAY.match(first_line)) or first_line.strip() in {b"{", b"["}


def _document(
    content: bytes, place: str, file: str, skip: Skip, columns: Mapping[str, str]
) -> Iterator[RawArticle]:
    if len(content) > _LONGEST_LINE:
        skip(
            Origin(file),
            f"is one JSON document of more than {_LONGEST_LINE >> 20} MiB: write one object a line",
        )
        return
    try:
        document = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        skip(Origin(file), f"is not JSON ({error})")
        return
    if isinstance(document, dict):
        named = next((document[key] for key in _LISTS if isinstance(document.get(key), list)), None)
        records = [document] if named is None else named
    else:
        records = document
    for number, record in enumerate(records, start=1):
        yield from _article(record, place, Origin(file, number, "item"), skip, columns)


def _article(
    record: object, place: str, origin: Origin, skip: Skip, columns: Mapping[str, str]
) -> Iterator[RawArticle]:
    if not isinstance(record, dict):
        skip(origin, "is no JSON object")
        return
    if origin.at == 1:
        check_columns(columns, record, origin.file)
    yield article_from(record, f"{place}:{origin.at}", origin, columns)
