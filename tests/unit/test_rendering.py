"""What a chat shows of an answer leads to its articles, and never changes once it is shown."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from indexer.local.generation import LocalGeneration
from indexer.models import Article, Span
from service.answering import answer
from service.asking import Understood
from service.evidence import NOTHING_YET, Citation, Proof, Quote, Statement, prove
from service.rendering import NOTHING, addressed, rendered, without_rendering
from service.replying import Reply
from service.retrieval import SearchQuery

ADDRESS = addressed("http://127.0.0.1:8000/", "default")


def replies(generation: LocalGeneration, data: st.DataObject) -> list[Reply]:
    """An answer of some true quotes, as it grows; the last reply has ended."""
    articles = [stored.article for stored in generation.corpus.articles()]
    found = answer(generation, SearchQuery("news"), min_confidence=0)
    understood = Understood(SearchQuery("news"), rewritten=False)
    proof = NOTHING_YET
    grown = [Reply(understood, replace(found, status="answered", proof=proof), ended=False)]
    for _ in range(data.draw(st.integers(1, 4))):
        quotes = []
        for _ in range(data.draw(st.integers(1, 2))):
            one = data.draw(st.sampled_from(articles[:5]))
            start = data.draw(st.integers(0, len(one.text) - 2))
            end = data.draw(st.integers(start + 1, min(start + 80, len(one.text))))
            quotes.append(Quote(one.id, f"{one.id}#0", Span(start, end), one.text[start:end]))
        statement = Statement(" … ".join(quote.text for quote in quotes), tuple(quotes))
        proof = prove(generation.corpus, [statement], proof)
        grown.append(Reply(understood, replace(found, status="answered", proof=proof), ended=False))
    return [*grown, replace(grown[-1], ended=True)]


@given(st.data(), st.booleans())
def test_a_growing_answer_only_grows(generation: LocalGeneration, data: st.DataObject, links: bool) -> None:
    before = NOTHING
    told = ""
    for reply in replies(generation, data):
        now = rendered(reply, ADDRESS, links=links)
        assert now.text.startswith(before.text)
        assert now.annotations[: len(before.annotations)] == before.annotations
        told += "".join(text for text, _ in now.since(before))
        assert told == now.text
        before = now


@given(st.data(), st.booleans())
def test_annotations_stand_where_the_numbers_are(
    generation: LocalGeneration, data: st.DataObject, links: bool
) -> None:
    *_, whole = replies(generation, data)
    shown = rendered(whole, ADDRESS, links=links)
    proof = whole.answer.proof
    assert len(shown.annotations) == len({citation.marker for citation in proof.citations})
    for annotation in shown.annotations:
        found = re.fullmatch(
            r"\[\[(\d+)\]\]\(.+\)" if links else r"\[(\d+)\]", shown.text[annotation.start : annotation.end]
        )
        assert found
        source = shown.sources[int(found[1]) - 1]
        assert (annotation.title, annotation.url) == (source.title, source.url)
    assert [source.title for source in shown.sources] == [article.title for article in proof.sources]


@given(st.data(), st.booleans())
def test_what_was_added_for_the_eye_is_taken_away_again(
    generation: LocalGeneration, data: st.DataObject, links: bool
) -> None:
    *_, whole = replies(generation, data)
    bare = without_rendering(rendered(whole, ADDRESS, links=links).text)
    assert bare == without_rendering(whole.answer.proof.text)


def test_what_was_added_is_soon_found_in_any_text() -> None:
    """Some minutes with a search that is quadratic, in which the service would answer nobody."""
    assert without_rendering("[[1]](a" * 100_000) == "[](a" * 100_000


@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize(
    "planted",
    [
        "![x](https://evil.example/p.png)",
        "[here](https://evil.example/)",
        "[here][1]\n\n[1]: https://evil.example/",
        "<img src=https://evil.example/p.png>",
        "<https://evil.example/>",
        "as they say [2], or \\[3](https://evil.example/).",
    ],
)
def test_nothing_of_an_article_comes_to_life(
    generation: LocalGeneration, planted: str, *, links: bool
) -> None:
    found = answer(generation, SearchQuery("news"), min_confidence=0)
    article = replace(next(generation.corpus.articles()).article, text=planted)
    quote = Quote(article.id, f"{article.id}#0", Span(0, len(planted)), planted)
    proof = Proof(
        f"{planted} [1]", (Citation(1, Span(len(planted) + 1, len(planted) + 4), quote),), (article,)
    )
    reply = Reply(
        Understood(SearchQuery("news"), rewritten=False), replace(found, status="answered", proof=proof)
    )
    shown = rendered(reply, ADDRESS, links=links)
    page = MarkdownIt("commonmark").render(shown.text)
    assert not re.search(r'<img|href="https://evil', page)
    assert re.findall(r"(?<!\\)(?:\\\\)*\[(\d+)\]", shown.text) == ["1"]
    (annotation,) = shown.annotations
    assert shown.text[annotation.start : annotation.start + 2 + links] == "[" * (1 + links) + "1"


def test_silence_lists_what_comes_nearest_where_links_are_shown(generation: LocalGeneration) -> None:
    found = answer(generation, SearchQuery("chess olympiad"), min_confidence=1)
    reply = Reply(Understood(SearchQuery("chess olympiad"), rewritten=False), found)
    assert rendered(reply, ADDRESS, links=False).text == "The articles do not tell."
    shown = rendered(reply, ADDRESS, links=True)
    assert shown.text.startswith("The articles do not tell.\n\nNearest:\n\n- [")
    assert not shown.annotations
    assert not shown.sources
    assert without_rendering(shown.text) == "The articles do not tell."


HOSTILE = st.text(alphabet="[]()<>*_`#|!\\~ \n\"'abc/:.&?=%", min_size=1, max_size=40)


@given(HOSTILE, HOSTILE)
def test_no_title_or_address_breaks_out_of_its_link(
    generation: LocalGeneration, title: str, address: str
) -> None:
    """Whatever an article is called, Markdown reads one link of that title to that address."""
    found = answer(generation, SearchQuery("storm damage"), min_confidence=0)
    article = replace(
        found.proof.sources[0],
        title=title,
        url=f"https://a.example/{address}",
        source=None,
        published_at=None,
        dated_by=None,
    )
    proof = replace(found.proof, sources=(article, *found.proof.sources[1:]))
    reply = Reply(Understood(SearchQuery("storm"), rewritten=False), replace(found, proof=proof))
    shown = rendered(reply, ADDRESS, links=True)
    line = shown.text.split("Sources:\n\n")[1].split("\n")[0].removeprefix("1. ")
    (inline,) = MarkdownIt().parseInline(line)
    opened = [token for token in inline.children or () if token.type == "link_open"]
    assert len(opened) == 1
    inside = "".join(token.content for token in inline.children or () if token.type == "text")
    assert inside.startswith(" ".join(title.split()))


def test_an_article_of_no_site_is_found_in_the_service(generation: LocalGeneration) -> None:
    stored = generation.corpus.stored("sample/harbour-courier/bridge-cost")
    assert stored
    article: Article = stored.article
    elsewhere = addressed("https://news.example/dateline", "archive")
    for url in (None, "javascript:alert(1)", "file:///etc/passwd"):
        placed = replace(article, url=url)
        assert ADDRESS(placed) == "http://127.0.0.1:8000/v1/articles/sample/harbour-courier/bridge-cost"
        assert elsewhere(placed) == (
            "https://news.example/dateline/v1/articles/sample/harbour-courier/bridge-cost?collection=archive"
        )
    assert ADDRESS(replace(article, url="https://a.example/1")) == "https://a.example/1"
