"""Texts that lie in no index, scored."""

from collections.abc import Sequence

import numpy as np
import pytest

from indexer.local.generation import LocalGeneration
from indexer.models import Scores
from service.relevance import Piece, best_first, pieces, relevance

TEXTS = ["Rain is expected on Sunday.", "The storm flooded 212 homes.", "A storm."]


def test_pieces_hold_all_that_the_documents_say(generation: LocalGeneration) -> None:
    long = "The council met on Monday and talked about the budget. " * 60
    found = pieces(generation, [(3, long), (4, "  \n "), (5, TEXTS[0])])
    assert {piece.document for piece in found} == {3, 5}
    assert " ".join(piece.text for piece in found if piece.document == 3).split() == long.split()
    most = generation.manifest.settings["passage_tokens"]
    assert all(len(generation.encoder.token_spans(piece.text)) <= most for piece in found)


def test_the_text_that_answers_scores_best(generation: LocalGeneration) -> None:
    scores = relevance(generation, "How many homes did the storm flood?", TEXTS)
    assert max(scores) == scores[1]
    assert all(0 <= score <= 1 for score in scores)
    assert relevance(generation, "How many homes did the storm flood?", []) == []


def test_a_judge_has_the_last_word_whatever_its_scale(generation: LocalGeneration) -> None:
    def by_length(question: str, texts: Sequence[str]) -> Scores:
        assert question == "storm"
        return np.array([20.0 - len(text) for text in texts], np.float32)

    scores = relevance(generation, "storm", TEXTS, judge=by_length)
    assert np.argsort(scores).tolist() == np.argsort([-len(text) for text in TEXTS]).tolist()
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(("most", "expected"), [(None, [1, 0, 3, 2]), (2, [1, 0])])
def test_a_document_stands_once_by_its_best_piece(most: int | None, expected: list[int]) -> None:
    scored = [(Piece(0, "a"), 0.5), (Piece(1, "b"), 0.1), (Piece(1, "c"), 0.9), (Piece(3, "d"), 0.5)]
    ranked = best_first(scored, 4, most)
    assert [at for at, _ in ranked] == expected
