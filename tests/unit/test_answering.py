"""Questions with an answer get it in the article's own words; the others get silence."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.folder import IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.models import EVERYTHING, Article, Filters, Passage, Span
from service.answering import NO_ANSWER, Answer, Candidate, agreeing, answer, choose, leaning, log_odds, weigh
from service.asking import Asked, understand
from service.evaluation import read_judged
from service.retrieval import Hit, SearchQuery, search
from service.settings import Settings
from tests.conftest import QUESTIONS, SEED_ID, build_index

MIN_CONFIDENCE = float(Settings.model_fields["min_confidence"].default)


@dataclass(frozen=True)
class Judged:
    """A question, what is known to answer it (nothing where nothing does), and what was answered."""

    question: str
    wanted: tuple[str, ...]
    got: Answer

    @property
    def quotes(self) -> list[str]:
        return [citation.quote.text for citation in self.got.proof.citations]


def ask(
    generation: LocalGeneration,
    question: str,
    *,
    min_confidence: float = MIN_CONFIDENCE,
    filters: Filters = EVERYTHING,
) -> Answer:
    """As the service answers: understood first."""
    query = SearchQuery(question, filters=filters)
    return answer(generation, understand(generation, Asked(query)).query, min_confidence=min_confidence)


@pytest.fixture(scope="module")
def judged(generation: LocalGeneration, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    questions = read_judged(QUESTIONS, tmp_path_factory.mktemp("work")).questions
    return [Judged(one.text, one.answers, ask(generation, one.text)) for one in questions]


def test_the_seed_question_is_answered_in_the_words_of_the_article(generation: LocalGeneration) -> None:
    got = ask(generation, "What does Gabuev expect from military cooperation?")
    assert got.status == "answered"
    first = got.proof.citations[0].quote
    assert first.article_id == SEED_ID
    assert first.text.startswith("Gabuev stated, \"I don't expect")
    assert "closer military cooperation" in first.text
    assert got.text.startswith(f"{first.text} [1]")


def test_every_quote_stands_in_its_article_and_passage(
    generation: LocalGeneration, judged: list[Judged]
) -> None:
    passages = {
        passage.id: passage
        for passage, _ in generation.corpus.read(list(range(generation.corpus.passage_count)))
    }
    quotes = [citation.quote for one in judged for citation in one.got.proof.citations]
    assert len(quotes) > 20
    for quote in quotes:
        article = generation.corpus.article(quote.article_id)
        assert article is not None
        assert article.text[quote.place.start : quote.place.end] == quote.text
        passage = passages[quote.passage_id]
        assert passage.start <= quote.place.start < quote.place.end <= passage.end


def test_an_answer_is_made_of_quotes_alone(judged: list[Judged]) -> None:
    for one in judged:
        if one.got.status == "answered":
            numbers = [citation.number for citation in one.got.proof.citations]
            parts = [f"{quote} [{number}]" for quote, number in zip(one.quotes, numbers, strict=True)]
            assert one.got.text == "\n\n".join(parts)
            assert 1 <= len(parts) <= 3
            assert one.got.nearest == ()


def test_without_an_answer_nothing_is_claimed_and_the_nearest_are_shown(judged: list[Judged]) -> None:
    silent = [one.got for one in judged if one.got.status == "no_answer"]
    assert silent
    for got in silent:
        assert got.text == NO_ANSWER
        assert got.proof.text == ""
        assert got.proof.citations == ()
        assert 1 <= len(got.nearest) <= 3


@pytest.mark.parametrize(
    "question",
    [
        "How do I bake sourdough bread?",
        "What is the capital of Mongolia?",
        "Who won the 1998 World Cup final?",
        "asdf qwer zxcv",
        "?!",
        "What did he say?",
    ],
)
def test_a_question_off_the_subject_gets_no_answer(generation: LocalGeneration, question: str) -> None:
    got = ask(generation, question)
    assert got.status == "no_answer"
    assert got.confidence < MIN_CONFIDENCE
    assert got.nearest


def test_confidence_decides_at_the_threshold(generation: LocalGeneration) -> None:
    question = "What does Gabuev expect from military cooperation?"
    sure = ask(generation, question).confidence
    assert ask(generation, question, min_confidence=sure - 0.01).status == "answered"
    assert ask(generation, question, min_confidence=sure + 0.01).status == "no_answer"
    assert ask(generation, "How do I bake sourdough bread?", min_confidence=0.0).status == "answered"


def test_filters_bind_the_answer_too(generation: LocalGeneration) -> None:
    filters = Filters(sources=("Northgate Tribune",))
    got = ask(generation, "How did the council vote on the bridge?", filters=filters, min_confidence=0.0)
    assert got.proof.sources
    assert {source.source for source in got.proof.sources} == {"Northgate Tribune"}


def test_where_nothing_passes_the_filters_nothing_is_shown(generation: LocalGeneration) -> None:
    nobody = Filters(sources=("Nobody",))
    got = ask(generation, "How did the council vote?", filters=nobody, min_confidence=0.0)
    assert (got.status, got.nearest, got.text) == ("no_answer", (), NO_ANSWER)


@pytest.mark.parametrize("question", ["What will the bridge cost?", "What does Gabuev expect?"])
def test_sentences_are_weighed_within_bounds_the_best_first(
    generation: LocalGeneration, question: str
) -> None:
    query = understand(generation, Asked(SearchQuery(question, limit=6, group_by="passage"))).query
    hits = search(generation, query).hits
    candidates = weigh(generation, query, hits)
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len({(candidate.hit.article.id, candidate.place) for candidate in candidates}) == len(candidates)
    for candidate in candidates:
        assert 0 <= candidate.overlap <= 1 + 1e-9
        assert 0 <= candidate.passage_overlap <= 1 + 1e-9
        assert -1.001 <= candidate.match <= 1.001
        assert candidate.hit.article.text[slice(*candidate.place)] == candidate.text
        passage = candidate.hit.passage
        assert passage.start <= candidate.place.start < candidate.place.end <= passage.end
        assert not candidate.text.endswith("?")
        assert candidate.borrowed >= 0
        if candidate.leans_on:
            assert passage.start <= candidate.leans_on.start
            assert not candidate.hit.article.text[candidate.leans_on.end : candidate.place.start].strip()
    assert choose(candidates)[0].hit == candidates[0].hit
    assert -10 < log_odds(candidates) < 10


def test_nothing_found_gives_no_confidence() -> None:
    assert choose([]) == []
    assert log_odds([]) < -5


def ready(article_id: str, text: str, day: str | None = None) -> Article:
    return Article(article_id, text, "Title", published_at=day)


def candidate(article: Article, sentence: str, score: float = 1.0, leans_on: str = "") -> Candidate:
    """A sentence of an article that counts `score`, and the one that it leans on."""
    start = article.text.index(sentence)
    at = article.text.index(leans_on) if leans_on else 0
    passage = Passage(0, article.id, 0, 0, len(article.text), article.text)
    return Candidate(
        Hit(passage, article, 0.0, None, None),
        Span(start, start + len(sentence)),
        score,
        0.0,
        0.0,
        leans_on=Span(at, at + len(leans_on)) if leans_on else None,
    )


def sentence(words: int, word: str) -> str:
    return " ".join(f"{word}{number}" for number in range(words)) + "."


@given(
    st.lists(
        st.tuples(st.integers(4, 120), st.integers(4, 60), st.floats(0.5, 1), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_an_answer_has_three_quotes_and_eighty_words_at_most(
    drawn: list[tuple[int, int, float, bool]],
) -> None:
    """Unless its first sentence alone is longer."""
    candidates = []
    for number, (words, words_before, score, leans) in enumerate(drawn):
        letter = "abcdefgh"[number]
        before = sentence(words_before, f"x{letter}")
        own = sentence(words, letter)
        article = ready(f"article-{number}", f"{before} {own}")
        candidates.append(candidate(article, own, score, before if leans else ""))
    candidates.sort(key=lambda one: -one.score)
    chosen = choose(candidates)
    assert 1 <= len(chosen) <= 3
    assert sum(len(one.text.split()) for one in chosen) <= max(80, len(candidates[0].text.split()))
    assert chosen[0].hit == candidates[0].hit
    assert all(one.score >= 0.7 * candidates[0].score for one in chosen)


def test_a_first_sentence_of_any_length_is_quoted_alone() -> None:
    long, short = ready("a", sentence(100, "a")), ready("b", sentence(5, "b"))
    chosen = choose([candidate(long, long.text), candidate(short, short.text)])
    assert [one.text for one in chosen] == [long.text]


def test_what_says_the_same_is_quoted_once() -> None:
    one = ready("a", "The council voted for the bridge on Tuesday.")
    other = ready("b", "On Tuesday, the council voted for the bridge.")
    third = ready("c", "Perrin Ashgrove called the decision premature.")
    chosen = choose([candidate(article, article.text) for article in (one, other, third)])
    assert [each.hit.article.id for each in chosen] == ["a", "c"]


def test_articles_that_differ_in_a_figure_are_both_quoted() -> None:
    one = ready("a", "The bridge across the Narrows will cost 264 million crowns.")
    other = ready("b", "The bridge across the Narrows will cost 246 million crowns.")
    chosen = choose([candidate(article, article.text) for article in (one, other)])
    assert [each.hit.article.id for each in chosen] == ["a", "b"]


def test_one_article_that_repeats_itself_with_another_figure_is_quoted_once() -> None:
    article = ready("a", "It will cost 264 million crowns in all. It will cost 264 million crowns, not 246.")
    first, second = article.text.split(". ")
    chosen = choose([candidate(article, first), candidate(article, second)])
    assert len(chosen) == 1


def test_a_sentence_that_leans_on_the_one_before_brings_it_along() -> None:
    before, own = "Corwin Stebbe steers the ferry.", "He would rather stay on the water than retire."
    article = ready("a", f"Fog lay on the sound. {before} {own}")
    (chosen,) = choose([candidate(article, own, leans_on=before)])
    assert chosen.text == f"{before} {own}"
    assert article.text[slice(*chosen.place)] == chosen.text


def test_one_that_leans_on_too_long_a_sentence_comes_alone() -> None:
    own = "He would rather stay on the water."
    article = ready("a", f"{sentence(79, 'a')} {own}")
    (chosen,) = choose([candidate(article, own, leans_on=sentence(79, "a"))])
    assert chosen.text == own


@pytest.mark.parametrize(
    ("question", "text"),
    [
        *[
            ("", f"{opening} would stay.")
            for opening in ("He", "She", "They", "It", "This", "His", "“He", '"It')
        ],
        ("Which company split its stock?", "The company announced a 20-for-1 split."),
        ("What well-known company split its stock?", "Its shares fell, said the well-known company."),
        ("Which country was shaken?", "It hit Luzon, the country's most populous island."),
        ("The state was hit. Which state?", "Floods in the state tore down bridges."),
    ],
)
def test_a_sentence_leans_on_what_says_whom_or_what_it_speaks_of(question: str, text: str) -> None:
    assert leaning(question)(text)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("", "Stebbe would rather stay on the water."),
        ("", "Hebrides ferries are no model, he says."),
        ("", "The company announced a 20-for-1 split."),
        ("Which company split its stock?", "Amazon is a company of Seattle."),
        ("Which company split its stock?", "The companies of Seattle split their stocks."),
        ("What did the company say?", "The company said nothing."),
        ("Which?", "The company said nothing."),
    ],
)
def test_a_sentence_that_names_what_it_speaks_of_stands_alone(question: str, text: str) -> None:
    assert not leaning(question)(text)


def test_what_a_sentence_leans_on_counts_half_of_what_it_has_over_it(
    generation: LocalGeneration,
) -> None:
    query = SearchQuery("What does the ferry captain Corwin Stebbe think?", limit=6, group_by="passage")
    candidates = weigh(generation, query, search(generation, query).hits)
    by_place = {(one.hit.article.id, one.place): one for one in candidates}
    borrowers = [one for one in candidates if one.borrowed]
    assert borrowers
    for one in borrowers:
        if one.leans_on and (other := by_place.get((one.hit.article.id, one.leans_on))):
            assert one.borrowed == pytest.approx(
                (other.score - other.borrowed - one.score + one.borrowed) / 2
            )


def test_a_question_answers_nothing_unless_whoever_asked_it_is_asked_about(
    seed_index: Path, tmp_path: Path
) -> None:
    index = Path(shutil.copytree(seed_index, tmp_path / "index"))
    (tmp_path / "story.txt").write_text(
        "Tolls on the new bridge\n\nWho will pay the tolls of the new bridge? Lorries alone will pay. "
        "Perrin Ashgrove said on Monday: “Who will pay the tolls of the new bridge?”",
        encoding="utf-8",
    )
    build_index(index, tmp_path / "story.txt")
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as told:
        got = ask(told, "Who will pay the tolls of the new bridge?", min_confidence=0)
        assert [one.quote.text for one in got.proof.citations] == ["Lorries alone will pay."]
        got = ask(told, "What did Perrin Ashgrove say about the tolls?", min_confidence=0)
        assert got.proof.citations[0].quote.text.startswith("Perrin Ashgrove said")


def test_what_several_sentences_are_read_as_answering_counts() -> None:
    """By how good they are; a sentence does not agree with itself, and one that was not read can agree."""
    texts = [
        "Ford will stop making them.",
        "In the end Ford gave up.",
        "Argo was the first to go.",
        "Affording it is hard.",
    ]
    stop, end, argo, hard = (candidate(ready(text, text), text) for text in texts)
    told = [(stop, "Ford"), (end, "Ford"), (argo, "Argo")]
    by_text = {one.text: one.agreed for one in agreeing("Which firm gave up?", [stop, end, argo, hard], told)}
    assert by_text == pytest.approx({stop.text: 1 / 3, end.text: 1 / 3, argo.text: 0, hard.text: 0})
    unread = "FORD’s shares rose."
    (other,) = agreeing("Which firm gave up?", [candidate(ready("x", unread), unread)], told)
    assert other.agreed == pytest.approx(2 / 3)
    better = replace(stop, match=2.0)
    (rated,) = agreeing("Which firm?", [end], [(better, "Ford"), (argo, "Argo")])
    assert rated.agreed > 0.99


def test_words_of_the_question_answer_nothing() -> None:
    first, second = (candidate(ready(text, text), text) for text in ("Ford gave up.", "So Ford it was."))
    assert agreeing("Did Ford give up?", [first, second], [(first, "Ford")]) == [first, second]
    assert agreeing("Who gave up?", [first, second], [(first, "Ford")])[1].agreed == 1
    assert agreeing("Who gave up?", [first, second], [(first, "Ford"), (second, "")])[1].agreed == 1


def test_a_sentence_that_is_quoted_already_is_not_brought_along_again() -> None:
    article = ready("a", "Corwin Stebbe steers the ferry. He would rather stay on the water.")
    before, own = "Corwin Stebbe steers the ferry.", "He would rather stay on the water."
    chosen = choose([candidate(article, before), candidate(article, own, leans_on=before)])
    assert [one.text for one in chosen] == [before, own]


def test_the_newest_comes_first_only_where_that_is_asked_for() -> None:
    days = {"a": "2026-01-01", "b": None, "c": "2026-03-01"}
    articles = [ready(name, sentence(6, name), day) for name, day in days.items()]
    candidates = [candidate(article, article.text) for article in articles]
    assert [one.hit.article.id for one in choose(candidates)] == ["a", "b", "c"]
    assert [one.hit.article.id for one in choose(candidates, newest=True)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("question", "speaker", "words"),
    [
        ("What does Gabuev expect from military cooperation?", "Alexander Gabuev", "closer military"),
        ("What did Idony Hallam say about explaining a delay?", "Idony Hallam", "rather explain a delay"),
        ("What does Corwin Stebbe say of the bridge and wind?", "Corwin Stebbe", "never be cancelled"),
        ("What did Célie Marchbank say about being cheated?", "Célie Marchbank", "rather be cheated once"),
        ("What did Gideon Marl say about the mistake in the table?", "Gideon Marl", "so was the mistake"),
        ("What does Mirabel Tooke say about the books?", "Mirabel Tooke", "books"),
    ],
)
def test_who_is_asked_for_answers_in_their_own_words(
    generation: LocalGeneration, question: str, speaker: str, words: str
) -> None:
    got = ask(generation, question)
    assert got.status == "answered"
    first = got.proof.citations[0].quote
    assert words in first.text
    said = [
        one
        for one in generation.corpus.quotations(speaker, article_ids=[first.article_id])
        if first.place.start < one.quotation.place.end and one.quotation.place.start < first.place.end
    ]
    assert {one.quotation.speaker for one in said} == {speaker}


def test_answers_keep_to_their_bounds(judged: list[Judged]) -> None:
    for one in judged:
        words = [len(quote.split()) for quote in one.quotes]
        assert len(words) <= 3
        assert sum(words) <= 80 or len(words) == 1
        places = [(each.quote.article_id, *each.quote.place) for each in one.got.proof.citations]
        for number, (article, start, end) in enumerate(places):
            assert not any(
                article == other and start < last and first < end for other, first, last in places[:number]
            )


def test_two_papers_with_two_figures_are_both_quoted(generation: LocalGeneration) -> None:
    """The first estimate of the bridge was wrong; who asks for the cost is shown both."""
    got = ask(generation, "How many million crowns will the planned bridge cost?", min_confidence=0)
    text = " ".join(citation.quote.text for citation in got.proof.citations)
    assert "264 million" in text
    assert "246 million" in text


def test_without_the_vectors_of_tokens_sentences_are_weighed_as_well(
    generation: LocalGeneration, bare: LocalGeneration
) -> None:
    """They are encoded when they are asked for; only the rounding differs."""
    question = "What does Gabuev expect from military cooperation?"
    with_tokens, without = ask(generation, question), ask(bare, question)
    assert without.status == "answered"
    assert without.proof.citations[0].quote.place == with_tokens.proof.citations[0].quote.place
    assert without.confidence == pytest.approx(with_tokens.confidence, abs=0.1)
