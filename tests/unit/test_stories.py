"""A page seen again is a version of its article; copies are one story; nothing that was told is lost."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from indexer.local.corpus import Corpus, CorpusWriter
from indexer.models import Article, Origin, Version
from indexer.stories import Kept, changes, drop_repeated_lines, group, history, inherit, keep

FIRST, SECOND, THIRD = (f"2026-01-0{day}T08:00:00Z" for day in (1, 2, 3))
FILE, LINE, OTHER = Origin("a.txt"), Origin("feed.jsonl", 1), Origin("feed.jsonl", 2)
STORY = (
    "The harbour board voted on Tuesday to raise the sea wall by two metres. Work begins in spring and takes "
    "until 2027. Two houses on Tern Street have to give way."
)
UPDATE = STORY.replace("two metres", "three metres")
ELSE = "The museum has bought a map of the marshes. It shows three villages that the sea has taken."


def told(text: str, article_id: str = "a", **fields: str) -> Article:
    return replace(Article(article_id, text, "A title"), **fields)  # type: ignore[arg-type]


class Writing:
    """A corpus under way; what is put in before `index` counts as new, what before it as indexed."""

    def __init__(self, corpus: CorpusWriter) -> None:
        self.corpus = corpus
        self.known = 0

    def keep(
        self,
        article: Article,
        origin: Origin = LINE,
        seen_at: str = FIRST,
        *,
        page: str = "",
        own: bool = True,
    ) -> Kept:
        outcome, _ = keep(
            self.corpus, article, origin, seen_at=seen_at, page=page, own_id=own, known=self.known
        )
        return outcome

    def texts(self) -> dict[str, str]:
        rows = [self.corpus.article(row) for row in range(self.corpus.rows)]
        return {article.id: article.text for article in rows}


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[Writing]:
    with CorpusWriter(tmp_path / "corpus") as corpus:
        yield Writing(corpus)


@contextmanager
def written(path: Path, articles: Sequence[Article]) -> Iterator[CorpusWriter]:
    with CorpusWriter(path) as corpus:
        for article in articles:
            corpus.add(article, "a.txt", FIRST, "")
        yield corpus


def test_what_is_new_is_added(writing: Writing) -> None:
    assert writing.keep(told(STORY)) == "added"
    assert writing.keep(told(ELSE, "b"), OTHER) == "added"
    assert writing.texts() == {"a": STORY, "b": ELSE}


def test_the_same_again_is_repeated(writing: Writing) -> None:
    writing.keep(told(STORY))
    assert writing.keep(told(STORY), OTHER, SECOND) == "repeated"
    assert writing.texts() == {"a": STORY}


def test_an_update_takes_the_place_and_the_text_before_stays_in_the_history(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus") as corpus:
        writing = Writing(corpus)
        writing.keep(told(STORY), page="x.test/a")
        assert writing.keep(told(UPDATE), OTHER, SECOND, page="x.test/a") == "updated"
    corpus_read = Corpus(tmp_path / "corpus")
    stored = corpus_read.stored("a")
    assert stored is not None
    assert stored.article.text == UPDATE
    assert [(one.seen_at, one.text) for one in history(corpus_read, stored)] == [
        (FIRST, STORY),
        (SECOND, UPDATE),
    ]
    corpus_read.close()


def test_what_was_seen_earlier_goes_into_the_history_whenever_it_is_read(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "corpus") as corpus:
        writing = Writing(corpus)
        writing.keep(told(UPDATE), seen_at=SECOND, page="x.test/a")
        assert writing.keep(told(STORY), OTHER, FIRST, page="x.test/a") == "older"
    corpus_read = Corpus(tmp_path / "corpus")
    stored = corpus_read.stored("a")
    assert stored is not None
    assert [one.text for one in history(corpus_read, stored)] == [STORY, UPDATE]
    corpus_read.close()


def test_one_page_is_one_article_whatever_it_tells(writing: Writing) -> None:
    writing.keep(told(STORY, "x.test/a"), page="x.test/a", own=False)
    assert writing.keep(told(ELSE, "x.test/a"), OTHER, SECOND, page="x.test/a", own=False) == "updated"
    assert writing.texts() == {"x.test/a": ELSE}


def test_two_stories_of_one_id_are_not_mixed(writing: Writing) -> None:
    writing.keep(told(STORY))
    assert writing.keep(told(ELSE), OTHER, SECOND) == "taken"
    assert writing.texts() == {"a": STORY}


def test_two_places_of_one_name_get_numbers(writing: Writing) -> None:
    texts = [STORY, ELSE, "Beekeepers in the valley lost one colony in twelve this winter."]
    for text, folder in zip(texts, "xyz", strict=True):
        assert writing.keep(told(text), Origin(f"{folder}/a.txt"), own=False) == "added"
    assert writing.texts() == dict(zip(["a", "a~2", "a~3"], texts, strict=True))
    assert writing.keep(told(ELSE), Origin("y/a.txt"), own=False) == "repeated"


def test_an_indexed_article_is_replaced_by_its_id_or_its_file(writing: Writing) -> None:
    writing.keep(told(STORY, "by-id"))
    writing.keep(told(STORY.upper(), "by-file"), FILE, own=False)
    writing.known = 2
    assert writing.keep(told(ELSE, "by-id"), OTHER, SECOND) == "updated"
    assert writing.keep(told(ELSE, "by-file"), FILE, SECOND, own=False) == "updated"
    assert set(writing.texts().values()) == {ELSE}


def test_a_line_of_a_file_replaces_no_other_line_that_stood_there(writing: Writing) -> None:
    writing.keep(told(STORY, "feed:1"), LINE, own=False)
    writing.known = 1
    assert writing.keep(told(ELSE, "feed:1"), LINE, SECOND, own=False) == "added"
    assert writing.texts() == {"feed:1": STORY, "feed:1~2": ELSE}


def test_changes_are_the_sentences_that_went_and_came() -> None:
    before, after = (Version(FIRST, "Sea wall", text, None) for text in (STORY, UPDATE + " A vote follows."))
    removed, added = changes(before, after)
    assert removed == ["The harbour board voted on Tuesday to raise the sea wall by two metres."]
    assert added == [
        "The harbour board voted on Tuesday to raise the sea wall by three metres.",
        "A vote follows.",
    ]
    assert changes(before, before) == ([], [])


def test_a_full_build_inherits_the_history(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path / "before") as corpus:
        row = corpus.add(told(UPDATE), "a.txt", SECOND, "")
        corpus.add_version(row, Version(FIRST, "A title", STORY, None))
        corpus.add(told(ELSE, "same"), "b.txt", FIRST, "")
    before = Corpus(tmp_path / "before")
    with CorpusWriter(tmp_path / "after") as corpus:
        corpus.add(told(UPDATE + " A vote follows."), "a.txt", THIRD, "")
        corpus.add(told(ELSE, "same"), "b.txt", THIRD, "")
        inherit(corpus, before)
    before.close()
    after = Corpus(tmp_path / "after")
    changed, same = after.stored("a"), after.stored("same")
    assert changed is not None
    assert same is not None
    assert [one.seen_at for one in history(after, changed)] == [FIRST, SECOND, THIRD]
    assert [one.seen_at for one in history(after, same)] == [FIRST]
    after.close()


@pytest.mark.parametrize(
    ("trusted", "order"),
    [((), ["early", "late", "undated"]), (("Wire",), ["late", "early", "undated"])],
)
def test_the_first_copy_is_the_most_trusted_then_the_earliest(
    tmp_path: Path, trusted: tuple[str, ...], order: list[str]
) -> None:
    copies = [
        told(STORY, "undated"),
        told(STORY, "late", published_at="2024-03-05T10:00:00+01:00", source="Wire"),
        told(STORY, "early", published_at="2024-03-05T11:00:00+05:00", source="Echo"),
        told(ELSE, "else"),
    ]
    with written(tmp_path / "corpus", copies) as corpus:
        group(corpus, trusted, tmp_path)
    corpus_read = Corpus(tmp_path / "corpus")
    assert list(corpus_read.stories()) == [order]
    assert corpus_read.count("in several copies") == 1
    corpus_read.close()


FOOT = "Sent from the newsroom of the Harbour Post"


SUBJECTS = "bakers ferries otters lanterns bridges umbrellas choirs tunnels".split()


def paper(source: str, count: int) -> list[Article]:
    """Stories of a source, each of its own words, above one line."""
    stories = (
        (number, " ".join(f"{subject}{source[:4]}{word}" for word in "are were saw lent cut kept".split()))
        for number, subject in enumerate(SUBJECTS[:count], start=1)
    )
    return [
        told(f"Of {number} {words}.\n\nSo {words} again.\n\n{FOOT}", f"{source}-{number}", source=source)
        for number, words in stories
    ]


def dropped(tmp_path: Path, articles: list[Article]) -> tuple[list[str], list[str]]:
    """The lines that went, and what is left of each article."""
    with written(tmp_path / "corpus", articles) as corpus:
        group(corpus, (), tmp_path)
        lines = [line for _, line in drop_repeated_lines(corpus)]
        return lines, [corpus.article(row).text for row in range(corpus.rows)]


def test_a_line_under_many_stories_of_a_source_goes(tmp_path: Path) -> None:
    lines, texts = dropped(tmp_path, paper("Harbour Post", 6))
    assert lines == [FOOT] * 6
    assert all(FOOT not in text and "again." in text for text in texts)


@pytest.mark.parametrize(
    ("line", "goes"),
    [("{} min read", True), ("It was {} degrees at noon.", False), ("Call us any time.", True)],
)
def test_digits_make_another_sentence_but_no_other_label(tmp_path: Path, line: str, goes: bool) -> None:
    articles = [
        replace(one, text=f"{line.format(number)}\n\n{one.text}")
        for number, one in enumerate(paper("Harbour Post", 6))
    ]
    lines, _ = dropped(tmp_path, articles)
    assert (len(lines) == 12) == goes


def test_a_line_under_a_few_stays(tmp_path: Path) -> None:
    assert dropped(tmp_path, paper("Harbour Post", 4))[0] == []


def test_another_source_keeps_its_line(tmp_path: Path) -> None:
    lines, texts = dropped(tmp_path, [*paper("Harbour Post", 6), *paper("Echo", 2)])
    assert len(lines) == 6
    assert all(FOOT in text for text in texts[6:])


def test_copies_of_one_story_do_not_make_its_lines_boilerplate(tmp_path: Path) -> None:
    copies = [told(f"{STORY}\n\n{FOOT}", f"copy-{number}", source="Harbour Post") for number in range(8)]
    assert dropped(tmp_path, copies)[0] == []


def test_an_article_that_is_nothing_but_such_lines_is_left_whole(tmp_path: Path) -> None:
    articles = [*paper("Harbour Post", 6), told(FOOT, "only", source="Harbour Post")]
    assert dropped(tmp_path, articles)[1][-1] == FOOT
