"""Texts as a network reads them: batches of about one length, padded, and which tokens are the text's own."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding

from indexer.models import Span

IDS, MASK = "input_ids", "attention_mask"
# Lengths are rounded up to this many tokens: the CPU's matrix units work in tiles of 16, and each new
# shape needs kernels of its own. A sixth more passages a second (medians of six turns).
_TILE = 16


def said(encoding: Encoding, prompt: int) -> tuple[slice, list[Span]]:
    """Which of the tokens stand for the text itself, after a prompt of so many characters, and where."""
    spans = [
        (at, Span(start - prompt, end - prompt))
        for at, ((start, end), special) in enumerate(
            zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        )
        if not special and start >= prompt
    ]
    first = spans[0][0] if spans else 0
    return slice(first, first + len(spans)), [span for _, span in spans]


def batches(lengths: list[int], most_tokens: int) -> Iterator[list[int]]:
    """Positions grouped by falling length, each group at most so many padded tokens: little padding, bounded
    memory."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if batch and lengths[batch[0]] * (len(batch) + 1) > most_tokens:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


def padded(batch: list[list[int]], max_tokens: int) -> dict[str, npt.NDArray[np.int64]]:
    """Token ids and attention mask, both (n, length); what fills a row is masked, so 0 will do.

    A model has no positions beyond `max_tokens`, so no row is filled further.
    """
    longest = max(map(len, batch))
    length = max(longest, min(-(-longest // _TILE) * _TILE, max_tokens))
    ids = np.zeros((len(batch), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(batch):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {IDS: ids, MASK: mask}
