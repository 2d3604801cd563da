"""PDF: the text layer, page by page, without what is printed on every page."""

import re
from collections import Counter

import pypdfium2
from pypdfium2 import raw

from indexer.models import RawArticle
from indexer.sources.document import Document, NoArticleError

_MOST_PAGES = 2000
_FEWEST_LETTERS = 40
_EDGE = 2  # lines at the top and the bottom of a page that may be its running head and foot
_REPEATED = 3  # pages
_DIGITS = re.compile(r"\d+")
_MADE_UP = re.compile(r"microsoft|untitled|\.(?:docx?|pdf|indd|qxd|odt|tex)\b|^\W*$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…:][\"'”’»)\]]*$")


def recognises(start: bytes, suffix: str) -> bool:  # noqa: ARG001  every format is asked alike
    return b"%PDF-" in start[:1024]


def read(document: Document) -> RawArticle:
    """The text of a PDF. Raises NoArticleError where it is encrypted, a scan, damaged, or too long.

    The file's own dates are not the story's: only its text is asked when it was published.
    """
    try:
        pdf = pypdfium2.PdfDocument(document.content)
    except pypdfium2.PdfiumError as error:
        if raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise NoArticleError("is encrypted: remove its password") from error
        raise NoArticleError(f"is a PDF that cannot be read ({error})") from error
    try:
        if len(pdf) > _MOST_PAGES:
            raise NoArticleError(f"has {len(pdf)} pages, which no article has")
        pages = [_lines(page) for page in pdf]
        stated = pdf.get_metadata_dict()
    except pypdfium2.PdfiumError as error:
        raise NoArticleError(f"is a PDF that cannot be read ({error})") from error
    finally:
        pdf.close()
    text = "\n\n".join(_paragraphs(_without_heads(pages)))
    if sum(map(str.isalpha, text)) < _FEWEST_LETTERS:
        raise NoArticleError("has no text layer, it is a scan: run OCR first, such as ocrmypdf")
    fields = {
        name: " ".join(stated.get(key, "").split())
        for name, key in (("title", "Title"), ("author", "Author"))
    }
    fields = {name: value for name, value in fields.items() if value and not _MADE_UP.search(value)}
    return document.article(text, fields, "PDF metadata")


def _lines(page: pypdfium2.PdfPage) -> list[str]:
    text_page = page.get_textpage()
    try:
        # U+FFFE is how pdfium gives a hyphen at the end of a line.
        text = text_page.get_text_bounded().replace("\ufffe", "\u00ad")
    finally:
        text_page.close()
        page.close()
    return [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]


def _without_heads(pages: list[list[str]]) -> list[list[str]]:
    """The pages without the lines that stand at the edge of several, whatever their numbers."""
    edges = Counter(_DIGITS.sub("0", line) for lines in pages for line in {*lines[:_EDGE], *lines[-_EDGE:]})
    return [
        [
            line
            for place, line in enumerate(lines)
            if _EDGE <= place < len(lines) - _EDGE
            or not (edges[_DIGITS.sub("0", line)] >= min(_REPEATED, max(2, len(pages))) or line.isdigit())
        ]
        for lines in pages
    ]


def _paragraphs(pages: list[list[str]]) -> list[str]:
    """Lines of about full width joined; a paragraph ends with a sentence whose line is short, and goes on
    over the end of a page where it does not."""
    lines = [line for page in pages for line in page]
    if not lines:
        return []
    width = sorted(map(len, lines))[int(len(lines) * 0.8)]
    paragraphs = [""]
    for line in lines:
        before = paragraphs[-1]
        if before.endswith(("-", "\u00ad")) and line[:1].islower():
            paragraphs[-1] = before[:-1] + line
        else:
            paragraphs[-1] = f"{before} {line}".strip()
        short = len(line) < 0.8 * width
        if short and (_SENTENCE_END.search(line) or len(paragraphs[-1]) == len(line)):
            paragraphs.append("")
    return [paragraph.replace("\u00ad", "") for paragraph in paragraphs if paragraph]
