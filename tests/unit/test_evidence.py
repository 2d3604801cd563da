"""Nothing is quoted that the stored article does not hold, letter for letter, at its place."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.local.generation import LocalGeneration
from indexer.models import Article, Span
from service.evidence import Quote, Statement, prove


@pytest.fixture(scope="module")
def articles(generation: LocalGeneration) -> list[Article]:
    return [stored.article for stored in generation.corpus.articles()]


def draw_quote(data: st.DataObject, articles: list[Article]) -> Quote:
    """A quote of some stretch of some article."""
    article = articles[data.draw(st.integers(0, len(articles) - 1))]
    start = data.draw(st.integers(0, len(article.text) - 1))
    end = data.draw(st.integers(start + 1, min(start + 300, len(article.text))))
    return Quote(article.id, f"{article.id}#0", Span(start, end), article.text[start:end])


@given(st.data())
def test_a_true_quote_passes_whole(
    generation: LocalGeneration, articles: list[Article], data: st.DataObject
) -> None:
    quote = draw_quote(data, articles)
    proof = prove(generation.corpus, [Statement.of(quote)])
    assert proof.text == f"{quote.text} [1]"
    assert [citation.quote for citation in proof.citations] == [quote]
    assert [article.id for article in proof.sources] == [quote.article_id]


@given(st.data())
def test_a_changed_letter_is_dropped(
    generation: LocalGeneration, articles: list[Article], data: st.DataObject
) -> None:
    quote = draw_quote(data, articles)
    at = data.draw(st.integers(0, len(quote.text) - 1))
    letter = data.draw(
        st.sampled_from([quote.text[at].swapcase(), " ", "", "x", "’", '"', "\u00a0", "e\u0301"])
    )
    forged = quote.text[:at] + letter + quote.text[at + 1 :]
    assume(forged != quote.text)
    proof = prove(generation.corpus, [Statement.of(replace(quote, text=forged))])
    assert (proof.text, proof.citations, proof.sources) == ("", (), ())


@given(st.data(), st.integers(-400, 400).filter(bool), st.integers(-5, 5))
def test_a_shifted_place_is_dropped(
    generation: LocalGeneration, articles: list[Article], data: st.DataObject, shift: int, longer: int
) -> None:
    quote = draw_quote(data, articles)
    article = generation.corpus.article(quote.article_id)
    assert article is not None
    place = Span(quote.place.start + shift, quote.place.end + shift + longer)
    there = article.text[place.start : place.end] if place.start >= 0 else None
    assume(there != quote.text)
    assert not prove(generation.corpus, [Statement.of(replace(quote, place=place))]).citations


@pytest.mark.parametrize(
    "place", [Span(0, 0), Span(-5, 0), Span(5, 2), Span(0, 10**9), Span(10**9, 10**9 + 3)]
)
@pytest.mark.parametrize("text", ["", "Rus"])
def test_a_place_outside_the_article_is_dropped(
    generation: LocalGeneration, articles: list[Article], place: Span, text: str
) -> None:
    assert not prove(generation.corpus, [Statement.of(Quote(articles[0].id, "p", place, text))]).citations


def test_the_end_of_an_article_is_not_counted_from_behind(
    generation: LocalGeneration, articles: list[Article]
) -> None:
    article = articles[0]
    quote = Quote(article.id, "p", Span(-10, len(article.text)), article.text[-10:])
    assert not prove(generation.corpus, [Statement.of(quote)]).citations


@given(st.data(), st.text(max_size=20))
def test_a_quote_of_an_unknown_article_is_dropped(
    generation: LocalGeneration, articles: list[Article], data: st.DataObject, unknown: str
) -> None:
    assume(all(article.id != unknown for article in articles))
    quote = replace(draw_quote(data, articles), article_id=unknown)
    assert not prove(generation.corpus, [Statement.of(quote)]).citations


@given(st.data(), st.lists(st.booleans(), max_size=8))
def test_markers_point_at_the_numbers_of_the_sources(
    generation: LocalGeneration, articles: list[Article], data: st.DataObject, genuine: list[bool]
) -> None:
    quotes = [draw_quote(data, articles[:3]) for _ in genuine]
    offered = [
        quote if true else replace(quote, text=quote.text + "\ufffd")
        for quote, true in zip(quotes, genuine, strict=True)
    ]
    expected = [quote for quote, true in zip(quotes, genuine, strict=True) if true]
    proof = prove(generation.corpus, map(Statement.of, offered))
    assert [citation.quote for citation in proof.citations] == expected
    assert [source.id for source in proof.sources] == list(
        dict.fromkeys(quote.article_id for quote in expected)
    )
    rest = proof.text
    for citation in proof.citations:
        marker = f"[{citation.number}]"
        assert proof.text[citation.marker.start : citation.marker.end] == marker
        assert proof.sources[citation.number - 1].id == citation.quote.article_id
        before = f"{citation.quote.text} "
        assert proof.text[: citation.marker.start].endswith(before)
        rest = rest.removeprefix(before + marker).removeprefix("\n\n")
    assert rest == ""
