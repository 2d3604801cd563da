"""What is Milvus's alone: names, conditions, documents in pieces, words as numbers. What it shares with any
index is held by tests/contract."""

import math
from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import DamagedError, UnreachableError
from indexer.milvus import schema
from indexer.milvus.connection import LONGEST_TEXT, Connection, batches
from indexer.milvus.words import Vocabulary, Words
from indexer.models import Filters

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)
HOSTILE = [
    '"',
    "\\",
    "'",
    '" or day > 0 or source == "',
    "]",
    "%",
    "\x00",
    "Ünïcode 新聞",
    "\ud800",
    "a" * 100_000,
]


@settings(max_examples=50)
@given(NAMES, NAMES)
def test_no_two_collections_share_an_alias_and_none_is_named_like_a_generation_of_another(
    one: str, other: str
) -> None:
    alias = schema.alias_of(one)
    assert alias.replace("_", "a").isalnum()
    assert alias.isascii()
    if one != other:
        assert alias != schema.alias_of(other)
    passages, articles = schema.collections_of(alias, "000012-1a2b3c4d")
    for name in (passages, articles):
        assert schema.generation_of(alias, name) == "000012-1a2b3c4d"
        assert name != schema.alias_of(other)
        if one != other:
            assert schema.generation_of(schema.alias_of(other), name) is None


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_a_source_is_called_a_condition_holds_but_numbers(name: str) -> None:
    filters = Filters(date(2023, 10, 16), date(2023, 10, 17), (name, "Echo"), (name,))
    number = schema.number_of(name)
    assert 0 < number < 1 << 63
    assert schema.condition(filters) == (
        f"day >= 738809 and day <= 738810 and source in [{number},{schema.number_of('Echo')}]"
        f" and author in [{number}]"
    )


def test_no_filter_is_no_condition_and_one_day_leaves_out_the_undated() -> None:
    assert schema.condition(Filters()) == ""
    wanted = schema.condition(Filters(published_before=date(2023, 1, 1)))
    assert wanted.startswith(f"day >= {schema.UNDATED + 1} and ")


@settings(max_examples=20)
@given(st.text(), st.integers(0, 100_000))
def test_a_document_of_any_length_is_whole_again_from_its_pieces_in_any_order(text: str, length: int) -> None:
    noise = np.random.default_rng(length).bytes(length).hex()  # which does not shrink
    content = [text, noise, None, 3]
    entities = schema.pieces(schema.ARTICLE, 5, content, article=7, story=schema.NONE)
    assert all(len(one["content"].encode()) <= LONGEST_TEXT for one in entities)
    assert len({one["place"] for one in entities}) == len(entities)
    assert schema.contents(reversed(entities)) == [content]


def test_a_document_that_lost_a_piece_is_no_document() -> None:
    entities = schema.pieces(schema.ARTICLE, 5, np.random.default_rng(0).bytes(100_000).hex(), article=7)
    assert len(entities) > 1
    with pytest.raises(ValueError, match=r"\d of \d pieces"):
        schema.contents(entities[1:])


@pytest.mark.parametrize("tokens", [0, 1, 200, 512, 900])
def test_codes_of_any_length_are_whole_again(tokens: int) -> None:
    width = 96
    codes = np.random.default_rng(tokens).integers(0, 256, (tokens, width), np.uint8)
    fields = schema.code_fields(900 * width)
    stored = schema.with_codes(codes, fields)
    assert all(len(text) <= LONGEST_TEXT for text in stored.values())
    assert (schema.codes_of(stored, schema.code_names(stored), width) == codes).all()


def test_a_product_of_weights_is_bm25_and_days_are_words_of_their_own(tmp_path: Path) -> None:
    passages = [["bridg", "cost", "bridg"], ["cost"], ["2023", "ferri"]]
    days = [[(date(2023, 10, 16), date(2023, 10, 16))], [], []]
    vocabulary = Vocabulary()
    for said, told in zip(passages, days, strict=True):
        vocabulary.count(said, told)
    weights = [vocabulary.weights(said, told) for said, told in zip(passages, days, strict=True)]
    vocabulary.write(tmp_path / "published" / "words", {"rows": 1})
    words = Words(tmp_path / "published" / "words")

    def scores(terms: list[str], *asked: tuple[date, date]) -> list[float]:
        question = words.asked(terms, asked)
        return [sum(question.get(word, 0) * weight for word, weight in one.items()) for one in weights]

    average = sum(map(len, passages)) / 3
    for term in ("bridg", "cost"):
        holding = sum(term in said for said in passages)
        rarity = math.log1p((3 - holding + 0.5) / (holding + 0.5))
        assert words.rarity(term) == pytest.approx(rarity)
        for said, score in zip(passages, scores([term]), strict=True):
            often = Counter(said)[term]
            norm = 1.2 * (0.25 + 0.75 * len(said) / average)
            assert score == pytest.approx(rarity * often * 2.2 / (often + norm))
    year = (date(2023, 1, 1), date(2023, 12, 31))
    assert [score > 0 for score in scores([], year)] == [True, False, False]
    assert [score > 0 for score in scores(["2023"])] == [False, False, True]
    assert words.asked(["zeppelin"], []) == {}
    assert words.rarity("zeppelin") == pytest.approx(math.log(8))
    words.close()


def test_a_file_that_holds_no_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words").write_bytes(b"no database")
    with pytest.raises(DamagedError, match="dateline index publish"):
        Words(tmp_path / "words")


def test_a_batch_is_as_large_as_a_message_may_be() -> None:
    entities = [({"row": row}, size) for row, size in enumerate([5, 5, 5, 20, 1, 1, 1, 1])]
    found = list(batches(iter(entities), most=3, most_bytes=10))
    assert [[one["row"] for one in batch] for batch in found] == [[0, 1], [2], [3], [4, 5, 6], [7]]


def test_a_milvus_that_is_not_there_is_said_to_be_away_and_not_asked_again_at_once() -> None:
    pytest.importorskip("pymilvus")
    connection = Connection("http://127.0.0.1:9", timeout_s=0.2)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="see that it runs"):
            connection.collections()
    assert connection.calls == 0
