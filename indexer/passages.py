"""Cutting an article into passages: whole sentences within a token budget, with their places."""

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil

import sentencex

from indexer.models import Article, Span

_LONGEST_TITLE = 150  # characters, so that it leaves room for the passage
TokenSpans = Callable[[str], Sequence[Span]]
# sentencex panics at "J\u00a0.": behind a capital letter it takes white space to be one byte.
_PLAIN_SPACE = dict.fromkeys(map(ord, "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"), " ") | dict.fromkeys(
    range(0x2000, 0x200B), " "
)


def sentences(text: str, language: str | None = None) -> list[Span]:
    """The sentences of a text in order, without the white space between them.

    A paragraph's end always ends a sentence; `language` is ISO 639-1, English where it is unknown.
    sentencex keeps a quotation of several sentences whole: f1 .911 on news, offsets in code points.
    """
    spans = []
    start = 0
    for paragraph in text.splitlines(keepends=True):
        for found in sentencex.get_sentence_boundaries(language or "en", paragraph.translate(_PLAIN_SPACE)):
            span = _stripped(text, start + found["start_index"], start + found["end_index"])
            if span.start < span.end:
                spans.append(span)
        start += len(paragraph)
    return spans


def sentences_around(text: str, place: Span, language: str | None = None) -> Span:
    """From the beginning of the sentence in which a stretch begins to the end of the one in which it ends."""
    start = text.rfind("\n", 0, place.start) + 1
    end = text.find("\n", place.end)
    paragraphs = text[start : end if end >= 0 else len(text)]
    held = [
        span
        for span in sentences(paragraphs, language)
        if start + span.start < place.end and place.start < start + span.end
    ]
    return Span(start + held[0].start, start + held[-1].end) if held else place


def cut(text: str, token_spans: TokenSpans, *, max_tokens: int, language: str | None = None) -> list[Span]:
    """Passages of about one size, each at most `max_tokens` of the encoder's tokens.

    A passage begins and ends with a sentence; a sentence over the budget is divided between
    words. Together the passages hold every character that is not white space, once.
    """
    starts = [token.start for token in token_spans(text)]

    def tokens(span: Span) -> int:
        return bisect_left(starts, span.end) - bisect_left(starts, span.start)

    sizes = [
        (piece, tokens(piece))
        for span in sentences(text, language)
        for piece in _divided(text, span, tokens, max_tokens)
    ]
    # Even shares: a greedy fill would leave a stub at the end of most articles. The least
    # number of passages is tried first; whole sentences may need one more.
    wanted = max(1, ceil(sum(size for _, size in sizes) / max_tokens))
    while len(passages := _packed(sizes, wanted, max_tokens)) > wanted:
        wanted += 1 + wanted // 20  # a step that grows keeps this short for whole books
    return passages


def encoded_text(article: Article, span: Span) -> str:
    """What the encoder and the full-text index read: the passage with the article's title and
    day in front, which a passage from the middle of a story does not repeat. Never quoted."""
    context = article.title[:_LONGEST_TITLE]
    if article.day:
        context = f"{context} ({article.day:%-d %B %Y})"
    return f"{context}\n{article.text[span.start : span.end]}"


def digest_of(text: str) -> bytes:
    """By which a text that was encoded is known again: 16 bytes."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _packed(sizes: list[tuple[Span, int]], wanted: int, max_tokens: int) -> list[Span]:
    """Neighbouring pieces joined into about `wanted` passages, none over `max_tokens`."""
    share = sum(size for _, size in sizes) / wanted
    passages: list[Span] = []
    done = filled = 0
    for piece, size in sizes:
        # A piece belongs where its middle falls.
        if passages and filled + size <= max_tokens and done + size / 2 <= share * len(passages):
            passages[-1] = Span(passages[-1].start, piece.end)
            filled += size
        else:
            passages.append(piece)
            filled = size
        done += size
    return passages


def _divided(text: str, span: Span, tokens: Callable[[Span], int], max_tokens: int) -> Iterator[Span]:
    """A sentence over the budget in halves at the space nearest to its middle, until each fits."""
    if tokens(span) <= max_tokens or span.end - span.start < 2:  # noqa: PLR2004
        yield span
        return
    middle = (span.start + span.end) // 2
    before = text.rfind(" ", span.start + 1, middle)
    after = text.find(" ", middle, span.end - 1)
    nearest = min((at for at in (before, after) if at > 0), key=lambda at: abs(at - middle), default=middle)
    for start, end in pairwise((span.start, nearest, span.end)):
        yield from _divided(text, _stripped(text, start, end), tokens, max_tokens)


def _stripped(text: str, start: int, end: int) -> Span:
    inside = text[start:end]
    start += len(inside) - len(inside.lstrip())
    return Span(start, start + len(inside.strip()))
