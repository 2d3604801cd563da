"""A small collection with all that an index may stumble over, in its names and in its texts."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from indexer.build import Change, Recipe, build
from indexer.folder import IndexFolder, Manifest
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from tests.conftest import Silent, build_index

Record = dict[str, str]

# Each would end a filter that is put together as text, or widen it, or is nearly another's.
NAMES = [
    "Herald",
    "herald",
    'O\'Brien & "Sons"',
    '" or source != "',
    "' or 1 == 1 --",
    "back\\slash\\",
    '\\"',
    "100%_like",
    "[1, 2]",
    "{place}",
    "Süddeutsche 新聞 🗞",
    "عكاظ",
]
HOSTILE_ID = 'an id "of" its\\own/ü 🗝'
STORM = (
    "A storm tore the roof off the swimming hall at Pell Harbour on Saturday. Forty-one swimmers left by the "
    "side door and nobody was hurt. “It was luck,” said Ines Karlqvist, the mayor. “A sheet of metal stopped "
    "where children had stood,” she added.\n\n"
    "Repairs will cost 640,000 crowns. The hall was insured for half of that. It stays closed until May."
)
TWIN = "The crane at Pell Harbour was painted green. It had been grey for thirty years."
# A passage over the 65,535 bytes that fields of a database take at most: of one word, and of wide characters.
LONG_WORD = "x" * 70_000
WIDE = "🚢" * 20_000
MANY_LINES = "\n".join(f"Berth {number} was dredged to {number % 7 + 4} metres." for number in range(1, 70))


def build_made(index: Path, seed_index: Path) -> None:
    """Fills a folder with an index of the collection: built, then changed, so that rows are missing and an
    article has a past. The encoder is that of the seeds."""
    shutil.copytree(seed_index, index)
    build_index(index, _written(index.with_name("first.jsonl"), _first_edition()))
    build(
        IndexFolder(index),
        Change(
            from_current=True,
            remove=frozenset({"leaving"}),
            offer=Offer((_written(index.with_name("second.jsonl"), _second_edition()),)),
        ),
        Recipe(DEFAULT_MODEL, 200, 2, ()),
        Intake(),
        Silent(),
        keep=5,
        command="test",
    )


def build_edition(index: Path, number: int) -> Manifest:
    """Builds an index of an edition."""
    return build_index(index, write_edition(index.with_name("edition.jsonl"), number))


def write_edition(file: Path, number: int) -> Path:
    """Articles whose every passage says which edition it is of, as their ids do."""
    return _written(
        file,
        (
            _record(
                f"edition-{number}-{article}",
                f"In edition {number} the harbour master counted {article + 3} boats at the quay.",
                f"2026-01-{article + 1:02d}",
            )
            for article in range(6)
        ),
    )


def _written(file: Path, records: Iterable[Record]) -> Path:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def _record(name: str, text: str, published_at: str = "", **fields: str) -> Record:
    return {"id": name, "title": f"Report {name}", "text": text, "published_at": published_at, **fields}


def _first_edition() -> Iterable[Record]:
    for number, name in enumerate(NAMES):
        yield _record(
            f"named-{number}",
            f"The harbour master of {name} counted {number + 3} boats at the quay. “Fewer than last year,” "
            "said Corwin Stebbe, who keeps the book.",
            f"2026-01-{number + 1:02d}",
            source=name,
            author=NAMES[-1 - number],
        )
    yield _record("wire", STORM, "2024-02-12T06:00:00Z", source="Meridian Wire")
    yield _record("echo", STORM, "2024-02-12T09:30:00Z", source="Echo")
    yield _record("post", STORM.replace("tore", "ripped"), "2024-02-13", source="Harbour Post")
    for name in ("Echo", "Harbour Post"):  # whose passages have the same vector
        yield {"id": f"twin of {name}", "title": "A crane", "text": TWIN, "source": name}
    yield _record("undated", "The tram returns to Castle Street. Nobody knows when.", source="Echo")
    yield _record("nameless", "Beekeepers lost one colony in twelve. Wasps were blamed.", "2025-07-01")
    yield _record("changing", "The ferry costs 4 crowns. It sails hourly.", "2025-03-01", source="Echo")
    yield _record("leaving", "The circus leaves Pell Harbour on Sunday.", "2025-03-02", source="Echo")
    yield _record("long", f"A crate was marked {LONG_WORD} when it came. It was empty.", source="Echo")
    yield _record("lines", MANY_LINES, "2025-04-01", source="Echo")
    yield _record("wide", f"A child drew {WIDE} on the wall. It was admired.", "2025-05-01")
    yield _record(HOSTILE_ID, "The key was found in the well. It opens nothing.", "2025-06-01")


def _second_edition() -> Iterable[Record]:
    yield _record("changing", "The ferry costs 5 crowns. It sails hourly.", "2025-03-01", source="Echo")
    yield _record("late", STORM, "2024-02-14", source="Late News")
    yield _record("new", "The lighthouse was sold on 2 January 2026 to a painter.", "2026-02-03", source="Echo")
