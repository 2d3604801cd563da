"""Bytes to text, as an encoding says that they were meant."""

import codecs
import re

import charset_normalizer

from indexer.sources.document import NoArticleError


class NotTextError(NoArticleError):
    """The bytes are not the text of an article."""


# UTF-32 first: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f]")
_MOST_CONTROLS = 0.01  # share of the characters
_SAMPLE = 1 << 14  # bytes that a guess is made from
_MOSTLY = 0.9  # of the lines that are not plain ASCII


def decode(content: bytes, declared: str = "") -> str:
    """Reads by byte-order mark, then as UTF-8, as `declared`, by what its bytes are like, as Windows-1252.

    Where most lines are UTF-8 and some are not, each line is read by itself: that is what comes of
    files put together from several. Raises NotTextError, saying why, where the result would not be text.
    """
    text = _decoded(content, declared)
    if "\0" in text or len(_CONTROLS.findall(text)) > _MOST_CONTROLS * len(text):
        raise NotTextError("is no text file (it holds control characters)")
    return text


def _decoded(content: bytes, declared: str) -> str:
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise NotTextError(f"begins as {encoding}, but is not ({error.reason})") from error
    if b"\0" in content[:_SAMPLE]:
        for name, zeros in (("utf-16-le", content[1:_SAMPLE:2]), ("utf-16-be", content[:_SAMPLE:2])):
            if zeros.count(0) > len(zeros) // 3:
                return content.decode(name, errors="replace")
        raise NotTextError("is no text file (it holds NUL bytes)")
    lines = content.splitlines(keepends=True)
    foreign = [line for line in lines if not line.isascii()]
    whole = sum(_is_utf8(line) for line in foreign)
    if whole >= _MOSTLY * len(foreign):
        return "".join(
            line.decode("utf-8" if _is_utf8(line) else "cp1252", errors="replace") for line in lines
        )
    try:
        return content.decode(declared) if declared else content.decode(_guessed(content))
    except (UnicodeDecodeError, LookupError):
        return content.decode("cp1252", errors="replace")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _guessed(content: bytes) -> str:
    sample = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_SAMPLE]
    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best and best.alphabets and best.coherence > 0 else "cp1252"
