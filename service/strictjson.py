"""JSON as RFC 8259 has it, read in one way only: what other parsers might read differently is refused."""

import codecs
import json
from collections import Counter
from math import inf, isfinite
from typing import Any

from indexer.errors import UsageError

_DEEPEST = 64  # levels; the protocols need six
_LONGEST_NUMBER = 300  # digits; a double ends at 309
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_Path = tuple["_Path", str | int] | None  # a chain, so that a deep place costs no more than a flat one


class NotJsonError(ValueError):
    """The bytes are no JSON text; the message says why."""


def parse(body: bytes) -> Any:  # noqa: ANN401  what JSON holds
    """The value that the bytes hold.

    Raises NotJsonError where they are no JSON in UTF-8, and UsageError, by the name of the field, for a key
    that stands twice in one object and for NaN, Infinity or a number that no double can hold.
    """
    if body.startswith(_MARKS):
        raise NotJsonError("it begins with a byte order mark; send UTF-8 without one")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError("it is not UTF-8") from error
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"{error.msg} (character {error.pos})") from error
    except RecursionError as error:
        raise NotJsonError(f"it is nested deeper than {_DEEPEST} levels") from error
    _check_numbers(found)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        raise _refused(max(times, key=times.__getitem__), "stands twice in one object")
    return found


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else inf


def _check_numbers(found: object) -> None:
    waiting: list[tuple[_Path, object, int]] = [(None, found, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if depth > _DEEPEST:
            raise NotJsonError(f"it is nested deeper than {_DEEPEST} levels")
        if isinstance(value, float) and not isfinite(value):
            raise _refused(_named(path), "is no finite number")
        if isinstance(value, dict):
            waiting += [((path, name), held, depth + 1) for name, held in value.items() if _may_hold(held)]
        elif isinstance(value, list):
            waiting += [((path, at), held, depth + 1) for at, held in enumerate(value) if _may_hold(held)]


def _may_hold(value: object) -> bool:
    return isinstance(value, float | dict | list)


def _named(path: _Path) -> str:
    parts: list[str] = []
    while path:
        path, part = path
        parts.append(str(part))
    return ".".join(reversed(parts))


def _refused(name: str, why: str) -> UsageError:
    shown = name[:200].encode("utf-8", "replace").decode()
    return UsageError(f"{shown or 'the body'}: {why}", param=shown or None)
