"""JSON lines: one article a line."""

import json
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from indexer.models import RawArticle
from indexer.sources.fields import article_from

_LONGEST_LINE = 64 << 20  # bytes; a longer line is no article, and would have to fit in memory
_OBJECT = re.compile(rb'\s*\{\s*"')


def recognises(start: bytes, suffix: str) -> bool:
    return suffix.lower() in {".jsonl", ".ndjson"} or bool(_OBJECT.match(start.removeprefix(b"\xef\xbb\xbf")))


def read(
    stream: BinaryIO, article_id: str, origin: str, skip: Callable[[str, str], None]
) -> Iterator[RawArticle]:
    """One article a line; a line that is none goes to `skip` with its number.

    A record without an id is called by its line: `article_id:12`.
    """
    number = 0
    while line := stream.readline(_LONGEST_LINE):
        number += 1
        where = f"{origin}:{number}"
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(_LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            skip(where, f"the line is longer than {_LONGEST_LINE >> 20} MiB")
        elif line.strip():
            try:
                record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except UnicodeDecodeError as error:
                skip(where, f"is not UTF-8 (byte {error.start + 1} of the line)")
            except (ValueError, RecursionError) as error:
                skip(where, f"is not JSON ({error})")
            else:
                if isinstance(record, dict):
                    yield article_from(record, f"{article_id}:{number}", where)
                else:
                    skip(where, "is no JSON object")
