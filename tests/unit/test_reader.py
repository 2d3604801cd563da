"""The reader with a graph made for these tests, which takes the word "here" for an answer's ends."""

import re
from dataclasses import replace
from math import exp
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from indexer.errors import DamagedError
from indexer.local.generation import LocalGeneration
from indexer.models import Span
from indexer.reader import Reader
from indexer.reader.facts import TOKENIZER
from service.answering import answer, read_by, weigh
from service.retrieval import SearchQuery
from tests.reader import write_reader


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(write_reader(tmp_path_factory.mktemp("reader")))


def test_span_counts_code_points_of_its_passage(reader: Reader) -> None:
    passage = "Überall 🙂 or here."
    (reading,) = reader.read("where?", [passage])
    assert passage[reading.span.start : reading.span.end] == "here"
    assert reading.score == pytest.approx(8, abs=0.1)
    assert reading.answerable == pytest.approx(1 / (1 + exp(-2)), abs=0.01)


def test_readings_come_in_the_order_of_their_passages(reader: Reader) -> None:
    passages = ["nothing", "or " * 40 + "here", "here", "there " * 7]
    readings = reader.read("where?", passages)
    assert [reading.score > 1 for reading in readings] == [False, True, True, False]
    assert readings[1].span == Span(120, 124)


def test_no_answer_is_taken_from_a_title(reader: Reader) -> None:
    (reading,) = reader.read("where?", ["there or there"], titles=["here"])
    assert reading.score == pytest.approx(0, abs=0.1)
    assert 0 <= reading.span.start < reading.span.end <= len("there or there")


def test_every_place_has_its_own_best_answer(reader: Reader) -> None:
    passage = "or there. or here."
    ((first, second, nothing),) = reader.read_places(
        "where?", [passage], [[Span(0, 9), Span(10, 18), Span(9, 9)]], titles=["there"]
    )
    assert 0 <= first.span.start < first.span.end <= 9
    assert second.span == Span(13, 17)
    assert first.score < second.score
    assert nothing.answerable == 0


def test_long_passages_are_read_to_their_end(reader: Reader) -> None:
    passage = "there " * 900 + "here"
    (reading,) = reader.read("where?", [passage])
    assert passage[reading.span.start : reading.span.end] == "here"


def test_an_endless_question_leaves_room_for_the_passage(reader: Reader) -> None:
    (reading,) = reader.read("who " * 1000, ["or here"])
    assert reading.span == Span(3, 7)


def test_an_empty_passage_has_no_answer(reader: Reader) -> None:
    (reading,) = reader.read("where?", [""])
    assert reading.answerable == 0
    assert reader.read("where?", []) == []


def test_a_word_is_read_where_its_tokenizer_counts_the_space_before_it_in(
    tmp_path: Path,
) -> None:
    folder = write_reader(tmp_path / "reader")
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(" ", "merged_with_next")])
    tokenizer.normalizer = normalizers.Strip()
    words = {f" {word}": at for word, at in tokenizer.get_vocab().items() if word.isalpha()}
    vocabulary = {**tokenizer.get_vocab(), **{word: at + 100 for word, at in words.items()}}
    tokenizer.model = models.WordLevel(vocabulary, unk_token="[UNK]")  # noqa: S106  no secret
    tokenizer.save(str(folder / TOKENIZER))
    assert any(" here" in one for one in tokenizer.get_vocab())
    offsets = tokenizer.encode("where", "or here").offsets
    assert (2, 7) in offsets  # the space is counted in
    ((first, second),) = Reader(folder).read_places("where", ["or here"], [[Span(0, 2), Span(3, 7)]])
    assert first.span == Span(0, 2)
    assert second.span == Span(3, 7)


def test_a_folder_without_reader_is_named(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="holds no reader"):
        Reader(tmp_path)


def test_sentences_count_by_how_far_they_are_below_what_reads_best(
    reader: Reader, generation: LocalGeneration
) -> None:
    query = SearchQuery("What did Dunmore say of the inquiry?")
    found = answer(generation, query, min_confidence=0.0)
    candidates = weigh(generation, query, found.read)
    read, odds = read_by(reader, query, candidates)
    assert odds == pytest.approx(2, abs=0.1)
    assert {one.place for one in read} == {one.place for one in candidates}
    assert [one.score for one in read] == sorted((one.score for one in read), reverse=True)
    best = [one for one in read if one.read == 0]
    assert best
    assert all(re.search(r"\bhere\b", one.text) for one in best)
    assert all(-1 <= one.read < 0 for one in read if not re.search(r"\bhere\b", one.text))


def test_the_words_that_answer_are_told_and_count_for_how_sure_the_answer_is(
    reader: Reader, generation: LocalGeneration
) -> None:
    query = SearchQuery("When was the inquiry opened?")
    plain = answer(generation, query, min_confidence=0.0)
    read = answer(generation, query, min_confidence=0.0, reader=reader)
    reader.facts = replace(reader.facts, calibrated=False)
    uncalibrated = answer(generation, query, min_confidence=0.0, reader=reader)
    reader.facts = replace(reader.facts, calibrated=True)
    assert uncalibrated.confidence == plain.confidence
    assert uncalibrated.proof == read.proof
    of_speaker = replace(query, speaker="Leofric Dunmore")
    said = [answer(generation, of_speaker, min_confidence=0.0, reader=one) for one in (None, reader)]
    assert said[0].confidence == said[1].confidence
    assert said[1].proof.answers == ()
    assert plain.proof.answers == ()
    assert read.confidence > plain.confidence  # what reads "here" is sure of it
    told = [read.proof.text[slice(*span)] for span in read.proof.answers]
    assert told
    assert set(told) == {"here"}
    for citation in read.proof.citations:
        article = generation.corpus.article(citation.quote.article_id)
        assert article
        assert article.text[slice(*citation.quote.place)] == citation.quote.text
