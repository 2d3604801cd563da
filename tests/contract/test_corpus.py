"""The articles, their passages and what was found in them: whole, in order, and the same wherever they are."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import pairwise

import pytest

from indexer.models import EVERYTHING, Article, Filters
from indexer.quotes import asked_for, called
from tests.contract.collection import HOSTILE_ID, LONG_WORD, NAMES
from tests.contract.conftest import Kept

UNKNOWN = ["nobody", "", '" or id != "', "' or 1 == 1 --", "\\", "a" * 5_000, "🗝", "Named-0"]


def test_every_article_is_there_in_order_and_by_its_id(kept: Kept) -> None:
    corpus = kept.generation.corpus
    stored = list(corpus.articles())
    assert stored == list(kept.local.corpus.articles())
    assert corpus.article_count == len(stored)
    assert [one.row for one in stored] == sorted({one.row for one in stored})
    for one in stored:
        assert corpus.stored(one.article.id) == one
        assert corpus.article(one.article.id) == one.article


def test_an_id_that_is_none_has_nothing(kept: Kept) -> None:
    corpus = kept.generation.corpus
    for name in UNKNOWN:
        if kept.local.corpus.article(name) is None:
            assert corpus.article(name) is None
            assert corpus.stored(name) is None
            assert corpus.versions(name) == []
            assert corpus.copies(name) == []
            assert corpus.passages(name) == []


def test_passages_are_numbered_stretches_of_their_article_and_hold_all_it_says_once(kept: Kept) -> None:
    corpus = kept.generation.corpus
    count = 0
    for article in kept.articles:
        passages = corpus.passages(article.id)
        assert passages == kept.local.corpus.passages(article.id)
        assert [one.number for one in passages] == list(range(len(passages)))
        assert all(one.article_id == article.id for one in passages)
        assert all(one.text == article.text[one.start : one.end] for one in passages)
        assert all(one.end <= other.start for one, other in pairwise(passages))
        assert "".join("".join(one.text.split()) for one in passages) == "".join(article.text.split())
        count += len(passages)
    assert corpus.passage_count == count


def test_passages_are_read_in_the_order_in_which_they_are_asked_for(kept: Kept) -> None:
    expected = {passage.row: (passage, article) for passage, article in kept.passages}
    rows = [*expected, *list(expected)[:3]]
    random.Random(1).shuffle(rows)
    assert kept.generation.corpus.read(rows) == [expected[row] for row in rows]
    assert kept.generation.corpus.read([]) == []


def test_a_row_that_is_none_is_a_key_error(kept: Kept) -> None:
    rows = {passage.row for passage, _ in kept.passages}
    gone = set(range(max(rows))) - rows
    assert bool(gone) == (kept.name == "made")
    for row in (*gone, -1, max(rows) + 1, 1 << 40):
        with pytest.raises(KeyError):
            kept.generation.corpus.read([min(rows), row])


def test_what_an_article_said_before_it_changed_is_kept(kept: Kept) -> None:
    found = {article.id: kept.generation.corpus.versions(article.id) for article in kept.articles}
    assert found == {name: kept.local.corpus.versions(name) for name in found}
    if kept.name == "made":
        (before,) = found.pop("changing")
        assert before.text == "The ferry costs 4 crowns. It sails hourly."
        assert "5 crowns" in kept.generation.corpus.passages("changing")[0].text
        assert not any(found.values())


def test_the_copies_of_a_story_name_each_other_the_first_copy_first(kept: Kept) -> None:
    corpus = kept.generation.corpus
    stories = list(corpus.stories())
    assert stories == list(kept.local.corpus.stories())
    assert stories
    assert all(len(copies) > 1 for copies in stories)
    for copies in stories:
        for name in copies:
            assert corpus.copies(name) == [corpus.article(copy) for copy in copies]
    several = {name for copies in stories for name in copies}
    assert all(corpus.copies(one.id) == [] for one in kept.articles if one.id not in several)


def test_the_days_that_passages_speak_of_stand_in_them(kept: Kept) -> None:
    passages = kept.passages
    rows = [passage.row for passage, _ in passages]
    found = kept.generation.corpus.mentions(rows)
    assert found == kept.local.corpus.mentions(rows)
    assert found
    assert all(found.values())
    for passage, article in passages:
        for mention in found.get(passage.row, []):
            assert passage.start <= mention.span.start < passage.end
            assert mention.span.end <= len(article.text)
            assert date.fromisoformat(mention.first) <= date.fromisoformat(mention.last)
    some = rows[::3]
    assert kept.generation.corpus.mentions(some) == {row: found[row] for row in some if row in found}
    assert kept.generation.corpus.mentions([]) == {}


def _newest_first(articles: dict[str, Article]) -> list[str]:
    """Ids by day, the newest first and the undated last; of one day by moment, then as they were read."""
    names = list(articles)
    return sorted(
        names,
        key=lambda name: (
            -(articles[name].day or date.min).toordinal(),
            [-ord(letter) for letter in articles[name].published_at or ""],
            names.index(name),
        ),
    )


def test_quotations_come_from_the_newest_article_to_the_undated_in_order_of_place(kept: Kept) -> None:
    corpus = kept.generation.corpus
    quoted = list(corpus.quotations())
    assert quoted == list(kept.local.corpus.quotations())
    articles = {article.id: article for article in kept.articles}
    order = {name: place for place, name in enumerate(_newest_first(articles))}
    places = [(order[one.article.id], one.quotation.place.start) for one in quoted]
    assert len(places) > 10
    assert places == sorted(set(places))
    for one in quoted:
        assert one.article == articles[one.article.id]
        assert 0 <= one.quotation.place.start < one.quotation.place.end <= len(one.article.text)
    silent = set(articles) - {one.article.id for one in quoted}
    assert bool(silent) == (kept.name == "made")
    assert list(corpus.quotations(article_ids=list(silent))) == []


def test_quotations_are_those_of_the_speaker_the_articles_and_the_filters_asked_for(kept: Kept) -> None:
    corpus = kept.generation.corpus
    quoted = list(corpus.quotations())
    sources = {one.source for one in kept.articles if one.source}
    days = sorted(day for one in kept.articles if (day := one.day))
    middle = days[len(days) // 2]
    filters = [
        EVERYTHING,
        *(Filters(sources=(source,)) for source in sources),
        *(Filters(authors=(author,)) for author in {one.author for one in kept.articles if one.author}),
        *(Filters(sources=(name,)) for name in UNKNOWN if name),
        Filters(sources=tuple(sources)),
        Filters(published_after=middle),
        Filters(published_before=middle),
        Filters(published_after=middle, published_before=middle, sources=tuple(sources)),
    ]
    for one in filters:
        assert list(corpus.quotations(filters=one)) == [each for each in quoted if one.allow(each.article)]
    names = {one.quotation.speaker for one in quoted if one.quotation.speaker}
    for speaker in (*names, *(name.split()[-1] for name in names), *UNKNOWN, *NAMES, "the mayor"):
        asked = asked_for(speaker)
        wanted = [
            each
            for each in quoted
            if each.quotation.speaker and any(one.fits(called(each.quotation.speaker)) for one in asked)
        ]
        assert list(corpus.quotations(speaker)) == wanted
        for one in filters[:3]:
            expected = [each for each in wanted if one.allow(each.article)]
            assert list(corpus.quotations(speaker, filters=one)) == expected
    some = [article.id for article in kept.articles][::2]
    expected = [each for each in quoted if each.article.id in some]
    assert list(corpus.quotations(article_ids=[*some, *UNKNOWN])) == expected
    assert list(corpus.quotations(article_ids=[])) == []


def test_speakers_are_counted_over_all_quotations_the_oftenest_first(kept: Kept) -> None:
    speakers = kept.generation.corpus.speakers()
    counted = Counter(one.quotation.speaker for one in kept.local.corpus.quotations())
    del counted[None]
    assert {one.name: one.quotations for one in speakers} == counted
    assert [(-one.quotations, one.name) for one in speakers] == sorted(
        (-one.quotations, one.name) for one in speakers
    )
    assert speakers == kept.local.corpus.speakers()


def test_what_is_read_bit_by_bit_may_be_read_beside_others(kept: Kept) -> None:
    corpus = kept.generation.corpus
    articles, quotations = list(corpus.articles()), list(corpus.quotations())
    beside = zip(corpus.articles(), corpus.quotations(), strict=False)
    for at, (stored, quoted) in enumerate(beside):
        assert (stored, quoted) == (articles[at], quotations[at])
        assert corpus.article(quoted.article.id) == quoted.article


def test_threads_may_share_a_generation(kept: Kept) -> None:
    corpus = kept.generation.corpus
    expected = {passage.row: (passage, article) for passage, article in kept.passages}

    def read(row: int) -> bool:
        ((passage, article),) = corpus.read([row])
        return (passage, article) == expected[row] and corpus.stored(article.id) is not None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, list(expected) * 2))


def test_texts_that_no_field_of_a_database_holds_whole_come_back_whole(kept: Kept) -> None:
    sizes = [len(passage.text.encode()) for passage, _ in kept.passages]
    assert (max(sizes) > 1 << 16) == (kept.name == "made")
    if kept.name == "made":
        for name, part in (("long", LONG_WORD), ("wide", "🚢🚢"), (HOSTILE_ID, "the well")):
            article = kept.generation.corpus.article(name)
            assert article
            assert part in article.text
            assert any(part in one.text for one in kept.generation.corpus.passages(name))
