"""Who is quoted where, and that nobody is given words that the text does not give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.quotes import Quotation, asked_for, called, quotations
from tests.conftest import SEED_ID, SEEDS


def quoted(text: str) -> list[tuple[str | None, str, bool]]:
    return [(one.speaker, text[slice(*one.place)], one.direct) for one in quotations(text)]


def speakers(text: str) -> list[str | None]:
    return [one.speaker for one in quotations(text)]


@pytest.mark.parametrize(
    "text",
    [
        '"It will rise," Idony Hallam said.',
        '"It will rise," said Idony Hallam.',
        "“It will rise,” said Mayor Idony Hallam on Tuesday.",
        "“It will rise”, said Idony Hallam, the mayor.",
        '"It will rise," said county commissioner Idony Hallam (Ind.), who chairs the committee.',
        '"It will rise," Idony Hallam, 45, of Saltmarsh, Northland, told reporters.',
        '"Will it rise?" Idony Hallam asked.',
        'Idony Hallam said: "It will rise."',
        'Idony Hallam, the mayor, told reporters on Monday, "It will rise."',
        "In a statement, Idony Hallam said, “It will rise.”",
        "Idony Hallam, who chairs the committee, also said “It will rise.”",
        "Idony Hallam left early, saying “It will rise.”",
        "Idony Hallam laughed and said, “It will rise.”",
        "Added Idony Hallam: “It will rise.”",
        "Idony Hallam: “It will rise.”",
        "“It will rise.” — Idony Hallam",
        "According to her it fell. “It will rise,” according to Idony Hallam.",
        "The committee's chair, Idony Hallam, was asked. “It will rise,” Hallam explained.",
    ],
)
def test_a_direct_quote_is_given_to_who_says_it(text: str) -> None:
    found = [one for one in quotations(text) if one.direct]
    assert [one.speaker for one in found] == ["Idony Hallam"]
    (one,) = found
    assert text[slice(*one.place)].startswith(("It will rise", "Will it rise?"))
    assert one.speaker_place is not None
    assert text[slice(*one.speaker_place)] in {"Idony Hallam", "Hallam"}


@pytest.mark.parametrize(
    ("text", "speaker", "words"),
    [
        ("Idony Hallam said that the toll would rise.", "Idony Hallam", "the toll would rise"),
        ("Idony Hallam said she would resign on Friday.", "Idony Hallam", "she would resign on Friday"),
        ("The toll would soon rise, Idony Hallam said Monday.", "Idony Hallam", "The toll would soon rise"),
        ("The toll would rise, according to Idony Hallam.", "Idony Hallam", "The toll would rise"),
        ("According to Idony Hallam, the toll would rise.", "Idony Hallam", "the toll would rise"),
        ("Idony Hallam told the Courier that the toll would rise.", "Idony Hallam", "the toll would rise"),
        ("Officials said the toll had risen.", "Officials", "the toll had risen"),
        ("A spokeswoman, Thirza Lamb, said that share would hold.", "Thirza Lamb", "share would hold"),
        ("Hallam said it was “a disgrace” to the town.", "Hallam", "it was “a disgrace” to the town"),
    ],
)
def test_what_is_reported_is_a_clause_without_marks(text: str, speaker: str, words: str) -> None:
    assert quoted(text) == [(speaker, words, False)]


def test_a_split_quote_is_two_of_one_speaker() -> None:
    text = "“The toll,” Idony Hallam said, “will rise.” It did. “It had to,” she added. “We are broke.”"
    assert quoted(text) == [
        ("Idony Hallam", "The toll,", True),
        ("Idony Hallam", "will rise.", True),
        ("Idony Hallam", "It had to,", True),
        ("Idony Hallam", "We are broke.", True),
    ]


def test_a_quote_of_several_paragraphs_is_one_speech() -> None:
    text = "“It will rise.\n\n“It has to.\n\n“We are broke,” Idony Hallam said.\n\nThe vote is on Friday."
    assert speakers(text) == ["Idony Hallam"] * 3
    after = "Idony Hallam said:\n\n“It will rise.\n\n“It has to.”\n\n“We agree,” said Brannoch Pell."
    assert speakers(after) == ["Idony Hallam", "Idony Hallam", "Brannoch Pell"]


def test_a_surname_is_its_only_bearer_and_nobody_where_there_are_two() -> None:
    assert speakers("Idony Hallam is mayor. “It will rise,” Hallam said.") == ["Idony Hallam"]
    both = "Idony Hallam and Corin Hallam met. “It will rise,” Hallam said."
    assert speakers(both) == ["Hallam"]
    junior = "Corin Hallam and Corin Hallam Jr. met. “It will rise,” Corin Hallam said."
    assert speakers(junior) == ["Corin Hallam"]


def test_he_and_she_are_who_spoke_last_unless_that_is_unsure() -> None:
    assert speakers("“It will rise,” Mary Pell said. “It must,” she said.") == ["Mary Pell"] * 2
    assert speakers("“It will rise,” John Pell said. “It must,” she said.") == ["John Pell", None]
    other = "John Pell spoke first.\n\nMr. Pell met Robert Garraway. “It must rise,” he said."
    assert speakers(other) == [None]


def test_the_place_of_a_pronoun_is_told_even_where_its_bearer_is_not() -> None:
    text = "“It must rise at once,” she said."
    (one,) = quotations(text)
    assert one.speaker is None
    assert one.speaker_place is not None
    assert one.cue is not None
    assert (text[slice(*one.speaker_place)], text[slice(*one.cue)]) == ("she", "said")


@pytest.mark.parametrize(
    "text",
    [
        "The so-called “smart” bridge opened.",
        "“Lanterns” won the prize; “The Narrows” did not.",
        "The box labeled “medical” was empty.",
        "He was 6'2\" and she 5'1\" tall.",
        "It was said in the town.",
        "Hallam would not say.",
        "The market's claims rose.",
        "Prices continued to rise on Monday.",
        "It is 5” long.",
        "“ ”",
    ],
)
def test_what_only_looks_like_a_quote_is_none(text: str) -> None:
    assert quoted(text) == []


def test_words_nobody_is_named_for_are_kept_without_a_speaker() -> None:
    text = "A banner hung there. “We will not leave this bridge before it is mended.” It was old."
    assert quoted(text) == [(None, "We will not leave this bridge before it is mended.", True)]


def test_a_show_is_not_its_guest() -> None:
    text = "On the radio's “Morning Post,” Idony Hallam said the toll would rise."
    assert quoted(text) == [("Idony Hallam", "the toll would rise", False)]


def test_unbalanced_marks_cost_their_own_quote_alone() -> None:
    text = '"It will rise, Hallam said.\n"It fell," Pell said, and "it "rose" again," he said.\nHallam "left.'
    assert ("Pell", "It fell,", True) in quoted(text)


def test_nested_marks_stay_inside() -> None:
    text = "\"She said, 'No,' and he said, “Never,” to me,\" Idony Hallam recalled."
    assert quoted(text) == [("Idony Hallam", "She said, 'No,' and he said, “Never,” to me,", True)]


def test_the_seed_articles_quotes_are_given_to_their_speakers() -> None:
    text = (SEEDS / f"{SEED_ID}.txt").read_text(encoding="utf-8")
    direct = [(speaker, words[:16]) for speaker, words, direct in quoted(text) if direct]
    assert direct == [
        ("Vladimir Putin", "There are no con"),
        ("Alexander Gabuev", "It serves as the"),
        ("Alexander Gabuev", "I don't expect t"),
    ]


def lawful(text: str, found: list[Quotation]) -> None:
    ends = [0, *(one.place.end for one in found)]
    for before, one in zip(ends, found, strict=False):
        assert before <= one.place.start < one.place.end <= len(text)
        assert "\n" not in text[slice(*one.place)]
        for place in (one.speaker_place, one.cue):
            assert place is None or 0 <= place.start < place.end <= len(text)
        assert (one.speaker_place is None) == (one.cue is None)
        assert one.speaker is None or one.speaker.strip()


@given(st.text(max_size=300))
def test_any_text_gives_places_in_order_that_stand_in_it(text: str) -> None:
    lawful(text, quotations(text))


WORDS = (
    "said told asked adding according to that who he she they it the a an Mr. Mary John Pell Hallam of "
    "mayor spokesman for and but not was reporters Monday in will rise “ ” \" '' ' ( ) , . : ; ? ! … — - "
    "\n \n\n é ’s"
).split(" ")


@given(st.lists(st.sampled_from(WORDS), max_size=60), st.sampled_from(["", " "]))
def test_any_words_for_speech_give_lawful_quotes(words: list[str], space: str) -> None:
    text = space.join(words)
    found = quotations(text)
    lawful(text, found)
    for one in found:
        if one.speaker and one.speaker_place and one.speaker.casefold() != "he":
            assert called(one.speaker).words or not any(letter.isalnum() for letter in one.speaker)


@pytest.mark.parametrize(
    "asked", ["Alexander Gabuev", "alexander gabuev", "Gabuev", "gabuev’s", "Mr. Gabuev", "GABUEV", "Gábuev"]
)
def test_a_speaker_is_found_however_they_are_called(asked: str) -> None:
    known = called("Alexander Gabuev")
    assert any(one.fits(known) for one in asked_for(asked))
    assert not any(one.fits(called("Alexander Pell")) for one in asked_for(asked))
    assert not any(one.fits(called("a spokesman for Gabuev")) for one in asked_for(asked))


def test_a_given_name_tells_two_bearers_of_a_surname_apart() -> None:
    assert not any(one.fits(called("Corin Hallam")) for one in asked_for("Idony Hallam"))
    assert any(one.fits(called("Idony R. Hallam")) for one in asked_for("Idony Hallam"))
    assert not any(one.fits(called("Hallam")) for one in asked_for("Idony Hallam"))


def test_a_description_is_found_as_a_whole() -> None:
    known = called("the foreign ministry")
    assert any(one.fits(known) for one in asked_for("the foreign ministry"))
    assert any(one.fits(known) for one in asked_for("Foreign Ministry"))
    assert not any(one.fits(known) for one in asked_for("ministry"))


@pytest.mark.parametrize(
    "piece",
    [
        "“a,” X said. ",
        "he said, ",
        "A, ",
        '"a" ',
        "said ",
        "“",
        "Bob Ray said he is. ",
        "the A and ",
        "X (a ",
    ],
)
def test_a_long_text_of_nothing_but_one_piece_is_read(piece: str) -> None:
    text = piece * 8_000
    for one in quotations(text):
        assert 0 <= one.place.start < one.place.end <= len(text)
