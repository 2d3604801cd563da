"""Whatever is done to a file of any format: it is an article or it is named, and nothing else suffers."""

import random
import re
from pathlib import Path

import pytest

from indexer.cleaning import clean
from indexer.sources import Intake, Offer, read
from tests.newsroom import write_newsroom


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Bits flipped, stretches lost, repeated or made up, the rest cut off."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 3, 20])):
        at = chance.randrange(len(changed) or 1)
        match chance.randrange(5):
            case 0 if changed:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randrange(1, 200)]
            case 2:
                del changed[at:]
            case 3:
                changed[at:at] = chance.randbytes(chance.randrange(1, 50))
            case 4:
                changed[at:at] = changed[at : at + chance.randrange(1, 400)] * chance.randrange(1, 20)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_every_damaged_file_is_read_or_named_for_what_it_is(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  no secret
    write_newsroom(tmp_path / "whole")
    files = sorted(path for path in (tmp_path / "whole").rglob("*") if path.is_file())
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for number in range(150):
        file = chance.choice(files)
        suffix = chance.choice([file.suffix, "", ".html", ".xml", ".csv"])
        (damaged / f"{number:03}{suffix}").write_bytes(mutated(file.read_bytes(), chance))
    told: list[str] = []
    intake = Intake(warn=told.append)
    articles = list(read(Offer((damaged,)), intake))
    assert len(articles) + intake.skipped == intake.offered
    assert len(told) == intake.skipped > 0
    assert articles
    # A parser's own error, passed on as it came, would tell nobody what to do.
    assert [one for one in told if re.search(r"could not be parsed \(\w+(Error|Exception): ", one)] == []
    for raw in articles:
        clean(raw)
