"""WARC: the pages of a crawl, one record after another."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType

from indexer.models import Origin
from indexer.sources.document import Document, Skip, place_of
from indexer.sources.unpacking import LARGEST

_TYPES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/pdf": ".pdf",
    "text/plain": ".txt",
}
_NOTHING = "nothing", ""
_OK = 200
_RECORD = re.compile(rb"\x1f\x8b\x08[\x00\x04\x08]|(?:(?<=\n)|\A)WARC/1\.[01]\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LONGEST_HEAD = 1 << 16  # bytes
_MARKED = 16  # bytes that such a mark may be cut off at


def recognises(start: bytes, suffix: str) -> bool:  # noqa: ARG001  every format is asked alike
    return start.startswith(b"WARC/")


def read(stream: BinaryIO, place: str, file: str, skip: Skip) -> Iterator[Document]:
    """Every page, PDF or text that was crawled with success; the stream as it lies on disk, gzip or not.

    Other records offer no article. One that does and cannot be read goes to `skip` with its place in the
    file, and so does what is damaged: reading goes on at the next record that can be found.
    """
    start, told = 0, False  # where the records begin that are read now; whether their damage was told
    while True:
        stream.seek(start)
        records = ArchiveIterator(stream, parse_http=True, auto_decode="all")
        position, reason, lied = start, "", False
        try:
            for record in records:
                position, told = record.stream_pos, False
                found, lied = _document(record, place, Origin(file, position, "byte"), skip)
                if found:
                    yield found
                if lied:
                    break
        except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
            reason = _first_line(error)
        following = _next_record(stream, position + 1)
        if following is None and not reason and _is_cut_off(stream, position):
            reason = "the file is cut off"
        if (reason or following is not None) and not lied and not told:
            skip(Origin(file, position, "byte"), f"is damaged from here on ({reason or 'no record ends it'})")
            told = True
        if following is None:
            return
        start = following


def _is_cut_off(stream: BinaryIO, position: int) -> bool:
    """Whether the last record, which begins here, is shorter than it says."""
    stream.seek(position)
    head = stream.read(_LONGEST_HEAD)
    if head.startswith(b"WARC/") and not _HEAD_END.search(head):
        return True
    stream.seek(position)
    for record in ArchiveIterator(stream, parse_http=False):
        return bool(record.reader.consume() < record.content_length)
    return True


def _next_record(stream: BinaryIO, position: int) -> int | None:
    """Where the next record begins, as a gzip member or a line; None where there is none."""
    stream.seek(position)
    before = b""
    while block := stream.read(1 << 20):
        if match := _RECORD.search(before + block):
            return position - len(before) + match.start()
        position += len(block)
        before = (before + block)[-_MARKED:]
    return None


def _document(record: WarcRecord, place: str, origin: Origin, skip: Skip) -> tuple[Document | None, bool]:
    """What a record offers, and whether it claims bytes that are not its own."""
    if record.record_type == WarcRecordType.response and record.is_http and record.http_headers is None:
        skip(origin, "holds no HTTP response that can be read")  # type: ignore[unreachable]
    kind, charset = _media_type(record)
    if kind and kind not in _TYPES:
        return None, False
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ")
    stated = _stated_length(record)
    content = record.reader.read(LARGEST + 1)
    lied = stated is not None and len(content) > stated
    if lied:
        content = content[:stated]
    if len(content) > LARGEST:
        skip(origin, f"{url} holds more than {LARGEST >> 20} MiB, which no article is")
    elif not content.strip():
        skip(origin, f"{url} is empty")
    elif stated is not None and len(content) < stated:
        skip(origin, f"{url} is cut off: {len(content)} of {stated} bytes")
    else:
        known = {"url": url, "seen": record.headers.get("WARC-Date") or ""}
        name = place_of(url) or f"{place}:{origin.at}"
        return Document(content, origin, name, _TYPES.get(kind, ""), charset, known, "WARC"), lied
    return None, lied


def _stated_length(record: WarcRecord) -> int | None:
    """How long the server said the page was; None where it was packed on its way, or nothing was said."""
    headers = record.http_headers
    if headers is None or headers.get("Content-Encoding") or headers.get("Transfer-Encoding"):
        return None
    stated = headers.get("Content-Length") or ""
    return int(stated) if stated.isdecimal() and len(stated) < 12 else None  # noqa: PLR2004  digits


def _media_type(record: WarcRecord) -> tuple[str, str]:
    """What a record says that it holds, and in which encoding; `_NOTHING` for one that was no success."""
    if record.record_type == WarcRecordType.conversion:
        return "text/plain", "utf-8"
    if record.record_type == WarcRecordType.resource:
        return (record.headers.get("Content-Type") or "").split(";")[0].strip().lower(), ""
    response = record.record_type == WarcRecordType.response and record.is_http
    if not response or record.http_headers is None or record.http_headers.status_code != _OK:
        return _NOTHING
    return (record.http_content_type or "").lower(), record.http_charset or ""


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
