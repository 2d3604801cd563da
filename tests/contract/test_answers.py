"""The whole service over an index: what it finds, answers and quotes is what it does over the folder."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from indexer.models import Filters
from service.answering import answer
from service.asking import Asked, understand
from service.evaluation import measure, rank, read_judged
from service.evidence import holder
from service.faceting import facets
from service.quoting import QuotesQuery, most_quoted, quotes
from service.retrieval import SearchQuery, also_in, search
from tests.conftest import QUESTIONS
from tests.contract.conftest import Kept, Tell

MADE = ["What will the repairs of the roof cost?", "Who said it was luck?", "How many boats are at the quay?"]
PREFERENCES = [
    SearchQuery("What will the bridge cost?", newest=True),
    SearchQuery("What does Stebbe say about the quay?", speaker="Corwin Stebbe"),
    SearchQuery("storm", days=((date(2026, 1, 1), date(2026, 1, 31)),)),
    SearchQuery("storm roof swimming hall", group_by="passage", collapse=False),
    SearchQuery("storm roof swimming hall", sort="date"),
    SearchQuery("harbour", limit=5, offset=5),
    SearchQuery("harbour", filters=Filters(published_after=date(2026, 1, 2))),
    SearchQuery("harbour", filters=Filters(sources=("Echo", "Harbour Courier"))),
]


def check_alike(kept: Kept, query: SearchQuery) -> bool:
    """Checks that a list is that of the folder but for the order of what is as good as equal: BM25 is computed
    with exact lengths or with rounded ones. Returns whether it is the same to the last."""
    tolerance = 0.05 if query.mode == "hybrid" else 1e-3
    found = search(kept.generation, query)
    ours, theirs = found.hits, search(kept.local, replace(query, limit=query.limit + 10)).hits
    scores = {hit.article.id if query.group_by == "article" else hit.passage.id: hit.score for hit in theirs}
    assert len(ours) == len(theirs[: query.limit])
    assert found.more == (len(theirs) > query.limit)
    for hit, other in zip(ours, theirs, strict=False):
        score = scores[hit.article.id if query.group_by == "article" else hit.passage.id]
        assert score == pytest.approx(other.score, abs=tolerance)
        assert hit.score == pytest.approx(score, abs=tolerance)
        ((passage, article),) = kept.local.corpus.read([hit.passage.row])
        assert (hit.passage, hit.article) == (passage, article)
        assert hit.also_in == also_in(kept.local.corpus, article)
    return [hit.passage.id for hit in ours] == [hit.passage.id for hit in theirs[: query.limit]]


def test_the_first_ten_for_every_question_are_those_of_the_folder(kept: Kept, tell: Tell) -> None:
    same = []
    for text in kept.questions if kept.name == "seeds" else MADE:
        asked = Asked(SearchQuery(text, mode=kept.mode))
        query = understand(kept.local, asked).query
        assert understand(kept.generation, asked).query == query
        same.append(check_alike(kept, query))
    tell(f"{len(same)} lists of ten, {sum(same)} the folder's to the last")
    assert sum(same) >= 0.9 * len(same)


@pytest.mark.parametrize("query", PREFERENCES, ids=lambda query: query.text)
def test_whatever_is_preferred_the_list_is_that_of_the_folder(kept: Kept, query: SearchQuery) -> None:
    check_alike(kept, replace(query, mode=kept.mode))


def test_a_list_read_to_its_end_holds_everything_once(kept: Kept) -> None:
    query = SearchQuery("harbour", limit=1_000, mode=kept.mode, group_by="passage", collapse=False)
    hits = search(kept.generation, query).hits
    assert sorted(hit.passage.row for hit in hits) == sorted(one.row for one, _ in kept.passages)


def test_answers_are_those_of_the_folder_each_quote_proven(kept: Kept) -> None:
    answered = 0
    for text in kept.questions[::4]:
        query = understand(kept.local, Asked(SearchQuery(text, mode=kept.mode))).query
        ours, theirs = (answer(one, query, min_confidence=0.82) for one in (kept.generation, kept.local))
        assert (ours.status, ours.text, ours.proof) == (theirs.status, theirs.text, theirs.proof), text
        read, expected = ({hit.passage.id for hit in one.read} for one in (ours, theirs))
        assert len(read & expected) >= len(expected) - 1
        # In a collection so small it tells that the folder's rarities count what was removed.
        assert ours.confidence == pytest.approx(theirs.confidence, abs=0.01 if kept.name == "seeds" else 0.1)
        for citation in ours.proof.citations:
            article = holder(kept.generation.corpus, citation.quote)
            assert article
            assert article.text[slice(*citation.quote.place)] == citation.quote.text
        answered += ours.status == "answered"
    assert bool(answered) == (kept.name == "seeds")


def test_quotes_of_everybody_and_on_everything_are_those_of_the_folder(kept: Kept) -> None:
    ours, theirs = kept.generation, kept.local
    speakers = most_quoted(ours.corpus)
    assert speakers == most_quoted(theirs.corpus)
    assert speakers.found
    queries = [
        *(QuotesQuery(speaker=one.asked) for one in speakers.found[:5]),
        QuotesQuery(speaker="Nobody Whatever"),
    ]
    for query in queries:
        assert quotes(ours, query) == quotes(theirs, query)
    for topic in ("bridge cost", "boats at the quay"):
        for speaker in (None, speakers.found[0].asked):
            query = QuotesQuery(speaker=speaker, topic=topic, filters=Filters(date(2020, 1, 1)))
            found, expected = quotes(ours, query), quotes(theirs, query)
            assert [(one.article, one.quote) for one in found.hits] == [
                (one.article, one.quote) for one in expected.hits
            ]
            assert found.more == expected.more


def test_facets_are_those_of_the_folder(kept: Kept) -> None:
    for filters in (Filters(), Filters(sources=("Echo", "Harbour Courier"))):
        query = SearchQuery("harbour storm", mode=kept.mode, filters=filters)
        assert facets(kept.generation, query) == facets(kept.local, query)


def test_measured_it_is_as_good_as_the_folder(kept: Kept, tmp_path: Path) -> None:
    if kept.name == "seeds":
        pytest.importorskip("ir_measures")
        judged = read_judged(QUESTIONS, tmp_path)
        query = SearchQuery("", mode=kept.mode)
        ours, theirs = (
            measure(judged.qrels, rank(one, judged, query).run) for one in (kept.generation, kept.local)
        )
        assert ours == pytest.approx(theirs, abs=0.01)
