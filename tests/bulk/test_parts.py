"""An index from parts is the one that the same files give; parts that are not whole, or of another making,
are refused by name."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from indexer.build import Change, Recipe, begin_parts, build, check_parts
from indexer.bulk import blocks
from indexer.bulk.blocks import Block, BlockEncoder, Shard, Source, read, shards
from indexer.errors import SourceError, StorageError, UsageError
from indexer.folder import IndexFolder, Manifest
from indexer.local.generation import REPORT
from indexer.models import Origin, RawArticle
from indexer.parts import PartName, Parts, Row
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake
from tests.bulk.comparing import compared
from tests.conftest import SEEDS, Silent, build_index

RECIPE = Recipe(DEFAULT_MODEL, 200, 2)


def encode(index: Path, parts: Parts, *paths: str | Path, recipe: Recipe = RECIPE) -> list[PartName]:
    """What a cluster does, in this process; returns the parts that had to be made."""
    begin_parts(IndexFolder(index), recipe, {}, parts, Silent())
    wanted, pages = shards([str(path) for path in paths], parts.made, Intake())
    there = parts.names()
    made = []
    with TemporaryDirectory() as folder:
        encoder = BlockEncoder(parts, Path(folder, "encoder"))
        for shard in wanted:
            known = frozenset(name.number for name in there if name.shard == shard.key)
            for block in read(Shard.from_json(shard.to_json()), pages, {}, known, strict=False):
                encoder(Block.from_json(block.to_json()))
                made.append(block.name)
    parts.finish([shard.key for shard in wanted])
    return made


def load(index: Path, parts: Parts, recipe: Recipe = RECIPE) -> Manifest:
    return build(
        IndexFolder(index),
        Change(from_current=False, parts=parts),
        recipe,
        Intake(),
        Silent(),
        keep=5,
        command="test",
    )


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of the seeds' articles: packed, with copies in two of them and a line that is none."""
    folder = tmp_path_factory.mktemp("dump")
    texts = [path.read_text(encoding="utf-8") for path in sorted(SEEDS.rglob("*.txt"))[:7]]
    lines = [json.dumps({"id": f"a{number}", "text": text}) for number, text in enumerate(texts)]
    copies = [json.dumps({"id": f"copy{number}", "text": text}) for number, text in enumerate(texts[:2])]
    (folder / "1.jsonl.gz").write_bytes(gzip.compress("\n".join([*lines[:4], "no JSON"]).encode()))
    (folder / "2.jsonl").write_text("\n".join([*copies, *lines[4:]]), encoding="utf-8")
    shutil.copy(sorted(SEEDS.rglob("*.txt"))[7], folder / "3.txt")
    return folder


@pytest.fixture(scope="module")
def local(dump: Path, seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = Path(shutil.copytree(seed_index, tmp_path_factory.mktemp("local") / "index"))
    build_index(index, dump)
    return index


@pytest.fixture(scope="module")
def encoded(dump: Path, seed_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """The dump in parts of three articles; read them only."""
    parts = Parts(str(tmp_path_factory.mktemp("encoded") / "parts"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 3)
        assert len(encode(seed_index, parts, dump)) == 4
    return parts


def test_an_index_from_parts_is_that_of_a_local_build(encoded: Parts, local: Path, tmp_path: Path) -> None:
    manifest = load(tmp_path / "index", encoded)
    difference = compared(local, tmp_path / "index")
    assert difference.vectors < 1e-3
    assert difference.codes < 1e-2
    assert (manifest.counts["encoded"], manifest.counts["skipped"], manifest.counts["read"]) == (0, 1, 11)
    reports = [
        (IndexFolder(index).generation(str(IndexFolder(index).current())) / REPORT).read_text(
            encoding="utf-8"
        )
        for index in (local, tmp_path / "index")
    ]
    assert reports[0] == reports[1]
    assert "is not JSON" in reports[0]


def test_parts_that_are_there_are_not_made_again(
    dump: Path, seed_index: Path, encoded: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 3)
    parts = copy_of(encoded, tmp_path)
    assert encode(seed_index, parts, dump) == []
    lost = sorted(parts.names())[1]
    Path(str(parts), str(lost)).unlink()
    with pytest.raises(SourceError, match=f"{lost.shard} are missing.*--engine ray"):
        load(tmp_path / "index", parts)
    assert encode(seed_index, parts, dump) == [lost]
    load(tmp_path / "index", parts)


def test_a_file_that_changed_is_read_anew(dump: Path, encoded: Parts, tmp_path: Path) -> None:
    there = shutil.copytree(dump, tmp_path / "dump")
    parts = copy_of(encoded, tmp_path)
    before, _ = shards([str(there)], parts.made, Intake())
    with (there / "2.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('\n{"text": "One more."}')
    after, _ = shards([str(there)], parts.made, Intake())
    assert {shard.key for shard in before}.isdisjoint(shard.key for shard in after)


@pytest.mark.parametrize(
    "recipe",
    [
        replace(RECIPE, passage_tokens=100),
        replace(RECIPE, token_bits=1),
    ],
)
def test_parts_of_another_recipe_are_refused(encoded: Parts, recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"was made with .*passages of 200 tokens.*--parts"):
        load(tmp_path / "index", encoded, recipe)
    assert not (tmp_path / "index").exists()
    with pytest.raises(UsageError, match="another folder"):
        check_parts(encoded, RECIPE, {"text": "body"})


def test_a_part_of_another_making_is_refused_by_name(encoded: Parts, tmp_path: Path) -> None:
    parts, strange = copy_of(encoded, tmp_path), Parts(str(tmp_path / "strange"))
    strange.begin(replace(parts.made, passage_tokens=100), Path(str(parts), "encoder"))
    name = min(parts.names())
    strange.write(name, [Row(Origin("x"), RawArticle("text", Origin("x"), "x"))])
    shutil.copy(Path(str(strange), str(name)), Path(str(parts)))
    with pytest.raises(SourceError, match=f"{name}: was made with .*100 tokens.*remove it"):
        load(tmp_path / "index", parts)


def _truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _empty(content: bytes) -> bytes:  # noqa: ARG001
    return b""


def _flipped(content: bytes) -> bytes:
    """One bit of what the pages hold is another."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("damage", [_truncated, _empty, _flipped])
def test_a_damaged_part_is_refused_by_name_and_leaves_the_index(
    damage: Callable[[bytes], bytes], encoded: Parts, tmp_path: Path
) -> None:
    parts = copy_of(encoded, tmp_path)
    load(tmp_path / "index", parts)
    before = IndexFolder(tmp_path / "index").current()
    name = sorted(parts.names())[1]
    path = Path(str(parts), str(name))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceError, match=f"{name}: is damaged .*remove it"):
        load(tmp_path / "index", parts)
    assert IndexFolder(tmp_path / "index").current() == before


def test_a_folder_that_machines_do_not_share_is_told(encoded: Parts) -> None:
    with pytest.raises(StorageError, match="all machines share"):
        encoded.finish([shard.shard for shard in encoded.names()] + ["0" * 24])


def test_what_is_no_folder_of_parts_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no parts"):
        load(tmp_path / "index", Parts(str(tmp_path)))


def test_texts_that_are_no_unicode_stay_as_they_are(encoded: Parts, tmp_path: Path) -> None:
    parts = copy_of(encoded, tmp_path)
    article = RawArticle(
        "half \ud800 a pair", Origin("x.jsonl", 3), "x:3", title="\ud800", found={"title": "a"}
    )
    name = PartName("f" * 24, 0, last=True)
    parts.write(name, [Row(article.origin, article)])
    parts.finish([name.shard])
    assert list(parts.articles(Intake())) == [article]


def test_what_goes_from_process_to_process_is_the_same_behind_it() -> None:
    origin = Origin("crawl\ud800.warc", 812, "byte")
    article = RawArticle("a\udfff\n\x00", origin, "place", found={"title": "JSON-LD"}, extracted=True)
    rows = (Row(origin, article), Row(Origin("dump.jsonl"), None, "is not JSON"))
    block = Block(PartName("0" * 24, 3, last=True), rows, 12)
    assert Block.from_json(block.to_json()) == block
    shard = Shard("0" * 24, (Source("s3://a/b", "b", "b", 1, "2"),), ((origin, "is empty"),))
    assert Shard.from_json(shard.to_json()) == shard


def test_files_of_a_store_are_read_in_the_order_of_a_folder(dump: Path, encoded: Parts) -> None:
    there, _ = shards([str(dump)], encoded.made, Intake())
    stored, pages = shards([dump.as_uri()], encoded.made, Intake())
    raws = [
        [
            (row.article.text, row.article.place) if row.article else row.reason
            for shard in found
            for block in read(shard, pages, {}, frozenset(), strict=False)
            for row in block.rows
        ]
        for found in (there, stored)
    ]
    assert raws[0] == raws[1]
    assert len(raws[0]) == 11


def copy_of(parts: Parts, folder: Path) -> Parts:
    return Parts(str(shutil.copytree(str(parts), folder / "parts")))
