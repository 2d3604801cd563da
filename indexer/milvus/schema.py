"""How a generation lies in Milvus: two collections, named after it, and an alias that says which is served.

    dateline_NAME                          the alias: names the passages of the served generation
    dateline_NAME_000012_1a2b3c4d_passages one entity a passage: what is searched
    dateline_NAME_000012_1a2b3c4d_articles documents, in pieces: an article with all that is known of it, who
                                           is called by a name, everybody who is quoted

Names of sources, authors and speakers, and ids, stand in conditions as numbers made of them: so none of
them, whatever is in it, can be anything but a name there, and any length will do.
"""

import hashlib
import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np

from indexer.lateinteraction import Codes
from indexer.milvus.connection import LONGEST_TEXT, Entity, Field
from indexer.models import Filters

NONE = -1  # of a story that there is not
UNDATED = 0  # the ordinal of no day
PASSAGES, ARTICLES = "passages", "articles"
# The kinds of documents.
ARTICLE, NAME, SPEAKERS = range(3)

WORDS = "words"
VECTOR = "vector"
COLUMNS = ("row", "article", "story", "day")
"""What of a passage comes with each hit."""
_CODES = "codes"
_OF_TEXT = LONGEST_TEXT - LONGEST_TEXT % 4  # bytes of base64 in one field
_PREFIX = "dateline"
_GENERATION = re.compile(r"_(\d{6,})_([0-9a-f]{8})_(passages|articles)")
_ESCAPED = {"_": "__", ".": "_o", "-": "_m"}


def alias_of(name: str) -> str:
    """The alias of a collection of Dateline's. Milvus takes letters, digits and _ only: other signs are
    written so that no two names become one, nor that of a generation."""
    return f"{_PREFIX}_{''.join(_ESCAPED.get(letter, letter) for letter in name)}"


def collection_of(alias: str, generation_id: str, part: str) -> str:
    """The collection that holds a part of a generation."""
    return f"{alias}_{generation_id.replace('-', '_')}_{part}"


def generation_of(alias: str, collection: str) -> str | None:
    """The generation that a collection belongs to; None where it is none of this alias."""
    if not collection.startswith(alias):
        return None
    found = _GENERATION.fullmatch(collection, len(alias))
    return f"{found[1]}-{found[2]}" if found else None


def number_of(name: str) -> int:
    """A name as conditions have it: 62 bits of its digest; 0 only for no name."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return 1 + (int.from_bytes(digest, "big") >> 2)


def passage_fields(*, dimension: int, words: bool, code_fields: int) -> list[Field]:
    """`code_fields`: how many texts it takes to hold the codes of the longest passage."""
    return [
        Field("row", "number", primary=True),
        *(Field(name, "number", indexed=True) for name in ("article", "story", "day", "source", "author")),
        *(Field(_code_field(place), "text", LONGEST_TEXT) for place in range(code_fields)),
        *([Field(WORDS, "sparse")] if words else []),
        Field(VECTOR, "vector", dimension),
    ]


ARTICLE_FIELDS = [
    Field("place", "text", 64, primary=True),
    *(
        Field(name, "number", indexed=True)
        for name in ("kind", "key", "article", "story", "day", "source", "author", "quotations", "rank")
    ),
    Field("piece", "number"),
    Field("pieces", "number"),
    Field("content", "text", LONGEST_TEXT),
    Field("nothing", "vector", 2),  # a collection has to have a vector
]
_NOTHING = np.zeros(2, np.float32)


def condition(filters: Filters) -> str:
    """What fulfils the filters; empty for all."""
    wanted = []
    if filters.published_after or filters.published_before:
        wanted.append(f"day >= {(filters.published_after or date.min).toordinal()}")
    if filters.published_before:
        wanted.append(f"day <= {filters.published_before.toordinal()}")
    for field, names in (("source", filters.sources), ("author", filters.authors)):
        if names:
            wanted.append(among(field, map(number_of, names)))
    return " and ".join(wanted)


def among(field: str, numbers: Iterable[int]) -> str:
    """That a field has one of some values."""
    return f"{field} in [{','.join(str(int(number)) for number in numbers)}]"


def both(*conditions: str) -> str:
    """That all of the conditions hold, of which some may be empty."""
    return " and ".join(f"({one})" for one in conditions if one)


# --- the codes of tokens


def code_fields(longest: int) -> int:
    """How many fields hold so many bytes."""
    return -(-(-(-longest // 3) * 4) // _OF_TEXT)


def code_names(fields: Iterable[str]) -> list[str]:
    """Of a collection's fields those that hold codes, in order."""
    return sorted(name for name in fields if re.fullmatch(rf"{_CODES}\d+", name))


def _code_field(place: int) -> str:
    return f"{_CODES}{place:02d}"


def with_codes(codes: Codes, fields: int) -> dict[str, str]:
    """A passage's codes as its fields."""
    text = b64encode(codes.tobytes()).decode()
    return {_code_field(at): text[at * _OF_TEXT : (at + 1) * _OF_TEXT] for at in range(fields)}


def codes_of(entity: Entity, names: Sequence[str], width: int) -> Codes:
    """The codes of fields, (tokens, width)."""
    text = "".join(entity[name] for name in names)
    return np.frombuffer(b64decode(text), np.uint8).reshape(-1, width)


# --- documents


def pieces(kind: int, key: int, content: object, **columns: int) -> list[Entity]:
    """A document as entities, in as many pieces as its JSON takes; `key` finds it."""
    packed = b64encode(zlib.compress(json.dumps(content, ensure_ascii=True).encode())).decode()
    parts = [packed[at : at + _OF_TEXT] for at in range(0, len(packed), _OF_TEXT)]
    others = dict.fromkeys(("article", "story", "day", "source", "author", "quotations", "rank"), NONE)
    number = columns.get("article", key)
    return [
        {
            **others,
            **columns,
            "place": f"{kind}/{number}/{at}",
            "kind": kind,
            "key": key,
            "piece": at,
            "pieces": len(parts),
            "content": part,
            "nothing": _NOTHING,
        }
        for at, part in enumerate(parts)
    ]


def size(entity: Entity) -> int:
    """About how many bytes of a message an entity takes."""
    return sum(
        8 * len(value) if isinstance(value, dict | np.ndarray) else len(value)
        for value in entity.values()
        if not isinstance(value, int)
    )


PIECE_FIELDS = ("kind", "key", "article", "piece", "pieces", "content")


def contents(found: Iterable[Entity]) -> list[Any]:
    """The documents whose pieces these are, in any order. Raises ValueError where a piece is missing."""
    parts: dict[tuple[int, int, int], dict[int, Entity]] = {}
    for entity in found:
        of = entity["kind"], entity["key"], entity["article"]
        parts.setdefault(of, {})[entity["piece"]] = entity
    documents = []
    for of, held in parts.items():
        count = held[min(held)]["pieces"]
        if len(held) != count:
            raise ValueError(f"{len(held)} of {count} pieces of {of}")
        packed = "".join(held[at]["content"] for at in range(count))
        documents.append(json.loads(zlib.decompress(b64decode(packed))))
    return documents
