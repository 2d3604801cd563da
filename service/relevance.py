"""How well texts that lie in no index answer a question: scored as passages would be."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from indexer.generation import Generation
from indexer.passages import cut
from indexer.words import content_terms
from service.retrieval import Judge, overlap

_LATE = 0.7  # the weight of late interaction against the cosine of the whole
_WORDS = 0.2  # what it counts beside them to have the question's words


@dataclass(frozen=True, slots=True)
class Piece:
    """A text of a document that the encoder can read at once; `document` is its place among the others."""

    document: int
    text: str


def pieces(generation: Generation, documents: Sequence[tuple[int, str]]) -> list[Piece]:
    """Numbered documents as the generation's articles are cut: whole sentences, its passages' tokens at most.
    One that says nothing has none."""
    most = generation.manifest.settings["passage_tokens"]
    return [
        Piece(at, text[slice(*span)])
        for at, text in documents
        for span in cut(text, generation.encoder.token_spans, max_tokens=most)
    ]


def relevance(
    generation: Generation, question: str, texts: Sequence[str], *, judge: Judge | None = None
) -> list[float]:
    """How well each text answers the question, in [0, 1]; only the order means anything.

    By the judge where there is one; else by the cosine of the whole, late interaction where the encoder tells
    of single tokens, and the question's words, weighed by their rarity in the index. A score does not depend
    on the texts beside it.
    """
    if not texts:
        return []
    if judge:
        # A cross-encoder's scores have any scale; the logistic function keeps their order.
        return [(1 + math.tanh(score / 2)) / 2 for score in judge(question, texts).tolist()]
    asked = generation.encoder.encode_query(question)
    rarities = {term: generation.fulltext.rarity(term) for term in content_terms(question)}
    scores = [0.0] * len(texts)
    for at, encoded in generation.encoder.stream_passages(texts):
        met = float(asked.vector @ encoded.vector)
        if asked.tokens.size and encoded.tokens.size:
            late = float((asked.tokens @ encoded.tokens.T).max(axis=1).mean())
            met = _LATE * late + (1 - _LATE) * met
        said = overlap(rarities, texts[at])
        scores[at] = min(max((1 + met + _WORDS * said) / (2 + _WORDS), 0.0), 1.0)
    return scores


def best_first(
    scored: Sequence[tuple[Piece, float]], documents: int, most: int | None = None
) -> list[tuple[int, float]]:
    """Each document once with the score of its best piece, 0 where it has none; of equals the
    first one first."""
    best = dict.fromkeys(range(documents), 0.0)
    for piece, score in scored:
        best[piece.document] = max(best[piece.document], score)
    return sorted(best.items(), key=lambda one: (-one[1], one[0]))[:most]
