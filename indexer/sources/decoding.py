"""Bytes to text, as an encoding says that they were meant."""

import codecs


class NotTextError(ValueError):
    """The bytes are not the text of an article."""


# UTF-32 first: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MOST_CONTROLS = 0.01  # share of the characters


def decode(content: bytes) -> str:
    """Reads by byte-order mark, then as UTF-8, then as Windows-1252.

    Raises NotTextError, saying why, where the result would not be text.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    try:
        text = content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise NotTextError(f"begins as {encoding}, but is not ({error.reason})") from error
        if b"\0" in content:
            raise NotTextError("is no text file (it holds NUL bytes)") from error
        text = content.decode("cp1252", errors="replace")
    controls = sum(character < " " and character not in "\t\n\r\f" for character in text)
    if "\0" in text or controls > _MOST_CONTROLS * len(text):
        raise NotTextError("is no text file (it holds control characters)")
    return text
