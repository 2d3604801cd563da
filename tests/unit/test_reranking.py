"""A cross-encoder as sentence-transformers runs it, made small for these tests."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from indexer.encoder import locate
from indexer.errors import UsageError
from indexer.local.generation import LocalGeneration
from indexer.passages import encoded_text
from indexer.settings import DEFAULT_MODEL
from service.reranking import Reranker, rescoring_by
from service.retrieval import SearchQuery, search
from service.settings import Settings

QUESTION = "What does the bridge cost?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cross-encoder")
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = AutoTokenizer.from_pretrained(str(locate(DEFAULT_MODEL)))
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            initializer_range=0.2,
        )
        config.num_labels = 1
        BertForSequenceClassification(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


def test_scores_are_those_of_sentence_transformers(folder: Path) -> None:
    texts = ["It costs 246 million crowns.", "The library lends out umbrellas.", "Costs rose."]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Reranker(str(folder)).scores(QUESTION, texts)
        theirs = CrossEncoder(str(folder)).predict([(QUESTION, text) for text in texts])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, theirs, atol=1e-5)


def test_the_first_passages_stand_in_its_order(folder: Path, generation: LocalGeneration) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = Settings(reranker=str(folder), rescored_passages=8)
        rescoring = rescoring_by(settings)
        query = SearchQuery(QUESTION, limit=8, group_by="passage", collapse=False, rescoring=rescoring)
        hits = search(generation, query).hits
        assert rescoring.judge
        scores = rescoring.judge(QUESTION, [encoded_text(hit.article, hit.passage.span) for hit in hits])
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


@pytest.mark.parametrize("content", [None, b"no weights"])
def test_what_is_no_cross_encoder_is_an_error_that_says_what_to_do(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if content:
        (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match="give a cross-encoder's name or folder"):
        Reranker(str(tmp_path))
