"""What cleaning takes away, what it must leave alone, and what it reads off a page."""

import string
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.cleaning import clean
from indexer.models import Article, Origin, RawArticle

SEED = Path(__file__).resolve().parents[2] / "seeds" / "000_6f77d67fd69055e2.txt"
HERE = Origin("here")


def cleaned(
    text: str, title: str = "", published: str = "", source: str = "", author: str = "", url: str = ""
) -> Article:
    raw = RawArticle(text, HERE, "a", title=title, published=published, source=source, author=author, url=url)
    article = clean(raw).article
    assert article is not None
    return article


WORD = st.text(string.ascii_lowercase, min_size=1, max_size=10)


@st.composite
def sentence_line(draw: st.DrawFn, opening: st.SearchStrategy[str] = WORD) -> str:
    """A line of one to three full sentences."""
    sentences = []
    for _ in range(draw(st.integers(1, 3))):
        words = [draw(opening), *draw(st.lists(WORD, min_size=3, max_size=12))]
        sentences.append(
            " ".join(words).capitalize() + draw(st.sampled_from([".", "!", "?", "…", '."', ".”"]))
        )
    return " ".join(sentences)


BOILERPLATE_OPENING = st.sampled_from(
    ["subscribe", "copyright", "copyright by", "read more", "newsletter", "follow us", "advertisement", "by"]
)
HEAD = ["16 Oct, 2023", "By Maël Harrowgate", "Published on 16 October 2023", "Share this", "Read more"]
TAIL = [
    "20 Nov, 2024",
    "© 2024 Some News. All rights reserved",
    "Read more",
    "Sign up for our newsletter",
    "Powered by Cred Matters.",
    "Related articles",
    "Follow us on every channel",
    "Comments (12)",
]


@pytest.fixture
def seed() -> Article:
    return cleaned(SEED.read_text(encoding="utf-8"))


def test_the_seed_article_keeps_each_of_its_lines_and_nothing_else(seed: Article) -> None:
    lines = SEED.read_text(encoding="utf-8").split("\n")
    assert seed.text.split("\n\n") == lines[1:13]


def test_the_seed_article_loses_its_boilerplate(seed: Article) -> None:
    for boilerplate in ("2024", "©", "Powered by", "All rights reserved", "16 Oct"):
        assert boilerplate not in seed.text


def test_the_seed_article_gets_its_date_source_and_title(seed: Article) -> None:
    assert seed.published_at == "2023-10-16"
    assert seed.source == "Business International News"
    assert seed.title.endswith(" …")
    assert seed.text.startswith(seed.title.removesuffix(" …"))


def test_headline_byline_and_date_are_read_from_the_head() -> None:
    article = cleaned(
        "Council backs bridge\nBy Fenella Straker and Ann Lee\n"
        "Updated: Wednesday, January 14, 2026 at 8:30 am\n"
        "The council voted late.\nIt was close."
    )
    assert article.title == "Council backs bridge"
    assert article.author == "Fenella Straker and Ann Lee"
    assert article.published_at == "2026-01-14"
    assert article.text == "The council voted late.\n\nIt was close."


def test_the_first_of_two_dates_in_the_head_counts() -> None:
    article = cleaned("Published 3 March 2026\nUpdated 5 March 2026\nThe council voted late.")
    assert article.published_at == "2026-03-03"


def test_an_undated_article_stays_undated_though_its_tail_holds_dates() -> None:
    article = cleaned("The council voted late.\nIt was close.\n20 Nov, 2024\n18 Nov, 2024\n© 2024 X News")
    assert article.published_at is None
    assert article.text == "The council voted late.\n\nIt was close."


def test_teasers_of_other_articles_go_with_the_dates_below_them() -> None:
    article = cleaned(
        "The council voted late.\nStorm hits the coast\n20 Nov, 2024\nFerry is late again\n18 Nov, 2024"
    )
    assert article.text == "The council voted late."


@pytest.mark.parametrize(
    "line",
    [
        "Subscribe to nothing, the chairman told the members, before you have read it.",
        "Copyright by itself will not protect the authors, the court held.",
        "Read more books, the minister told pupils at the opening.",
        "By Monday the water had gone.",
        "Newsletters are back in fashion.",
        "Sponsored by the county, the fair opened on Friday.",
    ],
)
def test_a_sentence_of_the_story_that_begins_like_boilerplate_is_kept(line: str) -> None:
    text = f"The council voted late.\n{line}\nIt was close."
    assert cleaned(text).text == f"The council voted late.\n\n{line}\n\nIt was close."


@pytest.mark.parametrize(
    "line",
    [
        "Sponsored by the county, the fair opened on Friday.",
        "Subscribe is the one button that nobody pressed.",
        "Copyright by Ann Lee was never in doubt, the court held.",
        "Newsletters are back in fashion, and the town prints two.",
    ],
)
def test_a_story_may_begin_and_end_with_such_a_sentence(line: str) -> None:
    article = cleaned(f"{line}\nThe council voted late.\n{line}\n© 2026 The Ledger. All rights reserved.")
    assert article.text == f"{line}\n\nThe council voted late.\n\n{line}"
    assert article.source == "The Ledger"


def test_an_id_and_an_address_can_be_stored_whatever_they_held() -> None:
    raw = RawArticle("The council met.", HERE, "b", id="a\ud800", url="https://x.test/\udfff")
    article = clean(raw).article
    assert article is not None
    assert article.id.encode()
    assert (article.url or "").encode()


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://x.test/a", "https://x.test/a"),
        ("HTTP://x.test/a", "HTTP://x.test/a"),
        ("x.test/a", "x.test/a"),
        ("javascript:alert(1)", None),
        (" java\nscript:alert(1)", None),
        ("data:text/html,<script>", None),
        ("", None),
    ],
)
def test_an_address_that_would_run_as_a_script_is_none(url: str, kept: str | None) -> None:
    assert cleaned("The story.", url=url).url == kept


def test_a_mark_behind_an_invisible_character_is_composed_as_well() -> None:
    assert cleaned("The Cafe\u200b\u0301 is open.").text == "The Café is open."


def test_calls_to_action_between_paragraphs_go() -> None:
    article = cleaned("The council voted late.\nRead more\nAdvertisement\nIt was close.")
    assert article.text == "The council voted late.\n\nIt was close."


def test_metadata_of_the_source_wins_over_the_text() -> None:
    page = "Headline of the page\nBy Ann Lee\n1 May 2020\nThe council voted late.\n© 2020 Page Owner"
    article = cleaned(page, "Given title", "2021-02-03", "Given source", "Given Author", " https://x.test/1 ")
    assert article.title == "Given title"
    assert article.published_at == "2021-02-03"
    assert article.source == "Given source"
    assert article.author == "Given Author"
    assert article.url == "https://x.test/1"


def test_a_title_that_the_text_repeats_stands_once() -> None:
    article = cleaned("Ferry stops\nThe council voted late.", title="Ferry  stops")
    assert article.title == "Ferry stops"
    assert article.text == "The council voted late."


def test_a_date_that_cannot_be_read_is_reported_and_not_guessed() -> None:
    result = clean(RawArticle("The council voted late.", HERE, "a", published="the other day"))
    assert result.unread_date == "the other day"
    assert result.article is not None
    assert result.article.published_at is None


@pytest.mark.parametrize("text", ["", " \n\t\n", "\x00\u200b\ufeff", "© 2024 Some News"])
def test_a_page_without_a_story_is_no_article(text: str) -> None:
    assert clean(RawArticle(text, HERE, "a")).article is None


def test_line_ends_spaces_and_invisible_characters_are_normalised() -> None:
    article = cleaned(
        "One\x00 is\u00a0 he\u200bre.\r\nTwo\tis\x07 here.\rThree is \ud800 here.\u2028Four.", "T"
    )
    assert article.text == "One is here.\n\nTwo is here.\n\nThree is \ufffd here.\n\nFour."


def test_composed_and_decomposed_letters_become_the_same() -> None:
    assert cleaned("Cafe\u0301 is open.").text == "Caf\u00e9 is open."


WORDS = st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=12), min_size=60, max_size=100)


@settings(max_examples=40)
@given(WORDS, st.integers(60, 90), st.sampled_from(["\n", "\r\n"]))
def test_a_paragraph_broken_at_a_fixed_width_is_one_line_again(
    words: list[str], width: int, end: str
) -> None:
    paragraph = " ".join(words).capitalize() + "."
    wrapped = textwrap.fill(paragraph, width, break_on_hyphens=False).replace("\n", end)
    article = cleaned(f"Headline{end}{end}{wrapped}{end}{end}Last.")
    assert (article.title, article.text.split("\n\n")) == ("Headline", [paragraph, "Last."])


def test_lines_that_are_paragraphs_of_their_own_stay_apart() -> None:
    lines = [f"Paragraph number {number} is a sentence of its own and ends." for number in range(5)]
    assert cleaned("\n".join(lines)).text == "\n\n".join(lines)


@given(
    st.sets(st.sampled_from(HEAD)).flatmap(lambda lines: st.permutations(sorted(lines))),
    sentence_line(),
    st.lists(sentence_line(BOILERPLATE_OPENING | WORD), max_size=6),
    sentence_line(),
    st.sets(st.sampled_from(TAIL)).flatmap(lambda lines: st.permutations(sorted(lines))),
)
def test_every_line_of_the_story_survives_between_head_and_tail(
    head: list[str], first: str, inner: list[str], last: str, tail: list[str]
) -> None:
    story = [first, *inner, last]
    assert cleaned("\n".join([*head, *story, *tail])).text == "\n\n".join(story)


@given(
    st.lists(
        st.sampled_from([*HEAD, *TAIL, "A teaser", "A council votes"])
        | sentence_line()
        | st.text("aZ .©éЖ漢\t\r'”1", max_size=30),
        min_size=1,
        max_size=12,
    )
)
def test_cleaning_a_cleaned_text_changes_nothing(lines: list[str]) -> None:
    once = clean(RawArticle("\n".join(lines), HERE, "a", title="The title given")).article
    if once is not None:
        twice = cleaned(once.text, title=once.title)
        assert twice.text == once.text


@given(st.text())
def test_any_text_becomes_lines_without_what_no_reader_sees(text: str) -> None:
    article = clean(RawArticle(text, HERE, "a", title="T")).article
    if article is not None:
        assert all(line and line == line.strip() for line in article.text.split("\n\n"))
        assert not set(article.text) & set("\x00\x07\r\t\x0b\x0c\u200b\ufeff\u2028\u2029")
        article.text.encode()


MENU = "Home\nWorld\nSport\nCulture\nWeather\nSign in\nSubscribe\nSearch\nShop\nJobs\n"
PARAGRAPHS = [
    "The tram line across Castle Street was reopened by the mayor on Monday after nine years.",
    "Engineers had poured two thousand tonnes of concrete under the arches of the viaduct.",
    "“I have missed its bell every morning,” said Hedda Marsh, who lives above the baker.",
]
BELOW = "Most read\nTen walks for a rainy day\nCrossword\nContact us\nPrivacy\n"


def test_a_page_copied_whole_is_its_story() -> None:
    text = "\n".join(PARAGRAPHS)
    page = f"{MENU}Tram returns to Castle Street\nBy Wilhelmina Dray\n12 April 2024\nShare\n{text}\n{BELOW}"
    found = clean(RawArticle(page, HERE, "a"))
    article = found.article
    assert article is not None
    assert article.text.split("\n\n") == PARAGRAPHS
    assert (article.title, article.author) == ("Tram returns to Castle Street", "Wilhelmina Dray")
    assert (article.published_at, article.dated_by) == ("2024-04-12", "text")
    assert {removed.line for removed in found.removed} >= {"Home", "Jobs", "Share", "Crossword"}


@pytest.mark.parametrize("between", [1, 12, 40])
def test_a_list_in_a_story_is_no_menu(between: int) -> None:
    """Nominees, line-ups, results: a story that has them begins with its own words."""
    items = [f"Rivers United {number} to 2" for number in range(between)]
    lines = [*PARAGRAPHS, *items, PARAGRAPHS[0] + " So it was.", *items]
    article = cleaned("\n".join(["The week's results", *lines]))
    assert article is not None
    assert article.text.split("\n\n") == lines
