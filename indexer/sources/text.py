"""Plain text: one article a file, as copied from a page."""

import re

from indexer.models import RawArticle

_BLOCKS = re.compile(r"\n[ \t\r]*\n")
_SENTENCE_END = re.compile(r"[.!?…:][\"'”’»)\]]*\s*$")


def read(content: str, article_id: str, origin: str) -> RawArticle:
    """One article; paragraphs broken over lines of a fixed width are joined again."""
    blocks = [_unwrapped(block.strip("\n")) for block in _BLOCKS.split(content)]
    return RawArticle(id=article_id, text="\n\n".join(blocks), origin=origin)


def _unwrapped(block: str) -> str:
    """A block of lines of about one width, most of which end inside a sentence, is one paragraph."""
    lines = [line.rstrip() for line in block.split("\n")]
    broken = lines[:-1]
    if len(broken) < 2:  # noqa: PLR2004  two lines have no common width
        return block
    widths = sorted(map(len, broken))
    inside = sum(not _SENTENCE_END.search(line) for line in broken)
    if widths[0] >= 40 and widths[-1] <= 100 and inside > len(broken) / 2:  # noqa: PLR2004
        return " ".join(lines)
    return block
