"""Words are folded, stemmed and found at their places, whatever the index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.words import content_terms, occurrences, query_terms


def test_words_are_folded_stemmed_and_named_once() -> None:
    assert query_terms("Cafés BRIDGES café Bridge") == query_terms("cafe bridge")
    assert len(query_terms(" ".join(f"w{number}" for number in range(1000)))) == 256


@pytest.mark.parametrize(
    "question", ["", "who is it that has been", "What do they say of it?", "the THE The"]
)
def test_function_words_are_no_content(question: str) -> None:
    assert content_terms(question) == []


def test_content_terms_are_the_terms_without_function_words() -> None:
    assert content_terms("What will the new bridges cost?") == query_terms("new bridges cost")


WORDS = "Bridge bridges Café cafés naïve Łódź 🙂 ﬁsh Straße 北京 don’t the İstanbul e\u0301te\u0301 x".split()


@given(
    st.lists(st.sampled_from(WORDS) | st.text("aé漢🙂 -’\u0301", max_size=6), max_size=15).map(" ".join),
    st.sampled_from(WORDS),
)
def test_occurrences_stand_at_their_words(text: str, word: str) -> None:
    terms = set(query_terms(word))
    places = list(occurrences(text, terms))
    for term, span in places:
        assert query_terms(text[span.start : span.end]) == [term]
    assert {term for term, _ in places} == terms & set(query_terms(text))
    assert [span for _, span in places] == sorted(span for _, span in places)
