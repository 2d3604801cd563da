"""Passages are whole sentences within the encoder's budget, and lose nothing."""

import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.encoder import Encoder
from indexer.local.generation import LocalGeneration
from indexer.models import Article, Span
from indexer.passages import cut, encoded_text, sentences

SEED_ID = "000_6f77d67fd69055e2"
WORDS = (
    "the council voted late bridge Saltmarsh crowns 246 million said ferry Captain’s don't co-operate naïve "
    "Øresund Mr. U.S. 3.50 eelgrass interoperability counterrevolutionaries “quoted” (aside) "
    "€5 Łódź Київ 北京 🙂"
).split()


@st.composite
def stories(draw: st.DrawFn) -> str:
    """One to eight paragraphs of sentences, some of them longer than any budget."""
    sentence = st.builds(
        lambda words, end: " ".join(words).capitalize() + end,
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=60),
        st.sampled_from([".", "!", "?", '."', "…", ""]),
    )
    paragraph = st.lists(sentence, min_size=1, max_size=5).map(" ".join)
    return "\n\n".join(draw(st.lists(paragraph, min_size=1, max_size=8)))


def without_spaces(text: str) -> str:
    return "".join(text.split())


def assert_spans_rebuild(text: str, spans: list[Span]) -> None:
    parts = [text[span.start : span.end] for span in spans]
    assert all(part and part == part.strip() for part in parts)
    assert all(one.end <= two.start for one, two in pairwise(spans))
    assert without_spaces("".join(parts)) == without_spaces(text)


@settings(max_examples=60)
@given(stories(), st.integers(16, 200))
def test_passages_rebuild_the_text_within_the_budget(encoder: Encoder, text: str, max_tokens: int) -> None:
    passages = cut(text, encoder.token_spans, max_tokens=max_tokens)
    assert_spans_rebuild(text, passages)
    for span in passages:
        assert len(encoder.token_spans(text[span.start : span.end])) <= max_tokens


@settings(max_examples=40)
@given(stories())
def test_a_passage_breaks_only_between_sentences_where_each_fits(encoder: Encoder, text: str) -> None:
    starts = {span.start for span in sentences(text)}
    longest = max(len(encoder.token_spans(text[one.start : one.end])) for one in sentences(text))
    assert {span.start for span in cut(text, encoder.token_spans, max_tokens=max(16, longest))} <= starts


@given(st.text(alphabet=st.sampled_from("abZé漢🙂.!?\"“”'’ \n\t\u00a0\u0301\x85\u2028,1")))
def test_sentences_rebuild_any_text(text: str) -> None:
    assert_spans_rebuild(text, sentences(text))


@pytest.mark.parametrize("space", sorted(char for char in map(chr, range(sys.maxunicode)) if char.isspace()))
@pytest.mark.parametrize("language", ["en", "fr", "de", "ru", "ja", "xx"])
def test_white_space_of_any_kind_may_stand_in_a_name(space: str, language: str) -> None:
    text = f"He met J{space}. Smith{space}.{space}Then R{space}.{space}Doe left."
    assert_spans_rebuild(text, sentences(text, language))


def test_the_end_of_a_paragraph_ends_a_sentence() -> None:
    text = "A headline\n\nThe council voted late"
    assert [text[span.start : span.end] for span in sentences(text)] == [
        "A headline",
        "The council voted late",
    ]


@pytest.mark.parametrize(
    "sentence",
    [
        'He said, "It is late. We go home. Nobody waits."',
        "“One. Two. Three.” she said.",
        "Mr. Smith paid $3.50 to the U.S. embassy.",
    ],
)
def test_a_quotation_and_an_abbreviation_stay_whole(sentence: str) -> None:
    text = f"Then it rained. {sentence} Then it stopped."
    assert sentence in [text[span.start : span.end] for span in sentences(text)]


def test_a_sentence_over_the_budget_is_divided_between_words(encoder: Encoder) -> None:
    text = "It said " + " ".join(f"word{number} and" for number in range(150)) + " no more."
    passages = cut(text, encoder.token_spans, max_tokens=32)
    assert len(passages) > 10
    assert " ".join(text[span.start : span.end] for span in passages) == text


def test_a_word_over_the_budget_is_divided_too(encoder: Encoder) -> None:
    text = "z" * 5000
    passages = cut(text, encoder.token_spans, max_tokens=32)
    assert_spans_rebuild(text, passages)


def test_the_seed_is_cut_into_passages_of_about_one_size(generation: LocalGeneration) -> None:
    article = generation.corpus.article(SEED_ID)
    assert article is not None
    spans = cut(article.text, generation.encoder.token_spans, max_tokens=200)
    sizes = [len(generation.encoder.token_spans(article.text[span.start : span.end])) for span in spans]
    assert len(sizes) == 4
    assert max(sizes) <= 200
    assert min(sizes) > 0.6 * max(sizes)


def test_a_short_text_is_one_passage(encoder: Encoder) -> None:
    text = "The council voted late. It was close."
    assert cut(text, encoder.token_spans, max_tokens=200) == [Span(0, len(text))]


def test_what_is_encoded_begins_with_title_and_day() -> None:
    article = Article("a", "One is here. Two is here.", "A title", "2026-03-05T10:00:00+01:00")
    assert encoded_text(article, Span(13, 25)) == "A title (5 March 2026)\nTwo is here."
    undated = Article("a", "One is here.", "T" * 1000)
    assert encoded_text(undated, Span(0, 12)) == "T" * 150 + "\nOne is here."
