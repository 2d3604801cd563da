"""What an index folder promises: nothing half-written is served, nothing whole is lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexer.build import Change, Recipe, build
from indexer.errors import DamagedError, LockedError, NoIndexError, SourceError, UsageError
from indexer.folder import FORMAT, IndexFolder
from indexer.local.generation import LocalGeneration, LocalIndex
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer
from tests.conftest import SEED_ID, SEEDS, Silent, build_index

_HOLD = """
import sys
from pathlib import Path
from indexer.folder import IndexFolder
with IndexFolder(Path(sys.argv[1])).writing("held"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def index(seed_index: Path, tmp_path: Path) -> Path:
    """An index of the seeds that a test may write to."""
    return Path(shutil.copytree(seed_index, tmp_path / "index"))


@pytest.fixture
def twice(index: Path) -> IndexFolder:
    """An index with two generations of the same articles."""
    build_index(index, SEEDS)
    return IndexFolder(index)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "LOCK"
    }


def test_an_unchanged_corpus_encodes_nothing(index: Path) -> None:
    before = IndexFolder(index).manifest(IndexFolder(index).ids()[-1])
    after = build_index(index, SEEDS)
    assert before.counts["encoded"] == before.counts["passages"] > 0
    assert after.counts["encoded"] == 0
    assert after.corpus == before.corpus
    with (
        LocalGeneration(IndexFolder(index), before.id) as old,
        LocalGeneration(IndexFolder(index), after.id) as new,
    ):
        rows = np.arange(len(old.vectors.index))
        assert (old.vectors.vectors(rows) == new.vectors.vectors(rows)).all()


def test_a_changed_article_encodes_only_its_passages(index: Path, tmp_path: Path) -> None:
    articles = Path(shutil.copytree(SEEDS, tmp_path / "articles"))
    changed = articles / "sample" / "harbour-courier" / "bridge-cost.txt"
    # The first sentence is new; the passages behind it stay as they were, or are cut anew.
    changed.write_text(changed.read_text(encoding="utf-8").replace("264", "265"), encoding="utf-8")
    manifest = build_index(index, articles)
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as generation:
        rows = range(len(generation.vectors.index))
        of_changed = sum(
            passage.article_id.endswith("bridge-cost") for passage, _ in generation.corpus.read(list(rows))
        )
    assert 0 < manifest.counts["encoded"] <= of_changed


def test_added_articles_join_and_replace_and_removed_ones_leave(index: Path, tmp_path: Path) -> None:
    new = tmp_path / "new.jsonl"
    records = [
        {
            "id": "new-1",
            "title": "Lighthouse sold",
            "text": "The lighthouse was sold on Monday to a painter.",
        },
        {
            "id": "vl-2026-0615",
            "title": "Recount ordered",
            "text": "The votes in Port Ellery are counted again.",
        },
    ]
    new.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    before = IndexFolder(index).manifest(IndexFolder(index).ids()[-1])
    added = build_index(index, new, from_current=True)
    assert added.counts["articles"] == before.counts["articles"] + 1
    assert added.counts["encoded"] == 2
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as generation:
        replaced = generation.corpus.article("vl-2026-0615")
        assert replaced is not None
        assert replaced.title == "Recount ordered"
        assert generation.corpus.article(SEED_ID) is not None


def test_every_damage_to_any_file_is_named_and_the_generation_before_serves(twice: IndexFolder) -> None:
    first, second = twice.ids()
    folder = twice.generation(second)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    assert {"manifest.json", "corpus.sqlite", "000001.vectors", "model.bin"} <= {path.name for path in files}
    for file in files:
        whole = file.read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :] if whole else b"x"
        for damaged in (flipped, whole[:-1] if whole else b"y", None):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
            with pytest.raises(DamagedError, match=file.name.replace(".", r"\.")):
                twice.verify(second)
            refused: list[str] = []
            with LocalIndex(twice).open_best(refused.append) as serving:
                assert serving.id == first
            assert file.name in refused[0]
            file.write_bytes(whole)
    assert twice.verify(second).id == second


def test_a_file_that_no_build_wrote_is_named(twice: IndexFolder) -> None:
    stray = twice.generation(twice.ids()[-1]) / "encoder" / "pickle.bin"
    stray.write_bytes(b"stray")
    with pytest.raises(DamagedError, match=r"pickle\.bin"):
        twice.verify(twice.ids()[-1])


@pytest.mark.parametrize("content", ["", "no-such-generation\n", "../..\n", "\udcff"])
def test_without_a_sound_current_the_newest_whole_generation_serves(twice: IndexFolder, content: str) -> None:
    (twice.path / "CURRENT").write_bytes(content.encode(errors="surrogateescape"))
    with LocalIndex(twice).open_best(pytest.fail) as serving:
        assert serving.id == twice.ids()[-1]


def test_a_manifest_of_another_format_names_the_remedy(twice: IndexFolder) -> None:
    manifest = twice.generation(twice.ids()[-1]) / "manifest.json"
    facts = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(facts | {"format": 99}), encoding="utf-8")
    with pytest.raises(
        DamagedError, match=f"format 99, this version reads {FORMAT}; run: dateline index build"
    ):
        twice.verify(twice.ids()[-1])


def test_an_empty_folder_holds_no_index(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match="dateline index build"):
        LocalIndex(IndexFolder(tmp_path)).open_best(pytest.fail)


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(index: Path) -> None:
    folder = IndexFolder(index)
    before = _contents(index)
    with folder.writing("dateline index build one"):
        result = subprocess.run(
            [sys.executable, "-m", "service.cli", "index", "build", str(SEEDS), "--index", str(index)],
            capture_output=True,
            text=True,
            check=False,
        )
        with pytest.raises(LockedError):
            build_index(index, SEEDS)
    assert result.returncode == 1
    assert f"process {os.getpid()}" in result.stderr
    assert "dateline index build one" in result.stderr
    assert _contents(index) == before


def test_the_lock_ends_with_its_process(index: Path) -> None:
    holding = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _HOLD,
            str(index),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holding.stdout
    assert holding.stdin
    assert holding.stdout.readline() == b"held\n"
    with pytest.raises(LockedError, match=f"process {holding.pid}"), IndexFolder(index).writing("other"):
        pass
    holding.kill()
    holding.wait()
    holding.stdout.close()
    holding.stdin.close()
    with IndexFolder(index).writing("other"):
        assert "other" in IndexFolder(index).holder()
    assert IndexFolder(index).holder() == ""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough articles for a build to be caught at work."""
    path = tmp_path / "many.jsonl"
    with path.open("w", encoding="utf-8") as lines:
        for number in range(2_000):
            text = f"Report {number} says that the harbour took in {number * 7} boats on that day. " * 8
            lines.write(json.dumps({"id": f"m{number}", "title": f"Report {number}", "text": text}) + "\n")
    return path


def _heeds_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_build_cut_off_leaves_the_served_index_as_it_was(
    index: Path, many: Path, how: signal.Signals, code: int
) -> None:
    before = _contents(index)
    building = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "index", "build", str(many), "--index", str(index)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heeds_interrupts,  # noqa: PLW1509  no thread holds a lock meanwhile
    )
    assert building.stderr
    for line in building.stderr:
        if line.startswith("reading articles"):  # said when that stage is over: encoding has begun
            break
    building.send_signal(how)
    assert building.wait() == code
    building.stderr.close()
    left = {name: content for name, content in _contents(index).items() if ".building-" not in name}
    assert left == before
    with LocalIndex(IndexFolder(index)).open_best(pytest.fail) as serving:
        assert serving.corpus.article(SEED_ID)
    # What a killed build left behind is gone after the next one.
    build_index(index, SEEDS)
    assert not list((index / "generations").glob(".*"))


def test_a_build_without_articles_changes_nothing(index: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    before = _contents(index)
    with pytest.raises(SourceError, match="no article to index"):
        build_index(index, empty)
    with pytest.raises(SourceError, match="no such file or folder"):
        build_index(index, tmp_path / "missing")
    assert _contents(index) == before


def test_of_two_articles_with_one_id_the_first_stays_and_the_second_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "twins.jsonl"
    lines = [
        {"id": "a", "text": "The first report stands here."},
        {"id": "a", "text": "The second report differs."},
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    index = tmp_path / "index"
    manifest = build_index(index, path)
    assert (manifest.counts["articles"], manifest.counts["skipped"]) == (1, 1)
    with pytest.raises(SourceError, match=r"twins\.jsonl:2: its id 'a' is taken by .*twins\.jsonl:1"):
        build_index(index, path, strict=True)


def test_rollback_and_collection_keep_what_is_read(twice: IndexFolder) -> None:
    first, second = twice.ids()
    with LocalGeneration(twice, first):
        with twice.writing("test"):
            assert twice.collect(keep=0) == []
        assert first in twice.ids()
    with twice.writing("test"):
        assert twice.collect(keep=0) == [first]
    assert twice.ids() == [second] == [twice.current()]


def test_a_build_keeps_as_many_generations_as_it_is_told(index: Path) -> None:
    for _ in range(3):
        build_index(index, SEEDS, keep=1)
    folder = IndexFolder(index)
    assert len(folder.ids()) == 2
    assert folder.current() == folder.ids()[-1]


def test_a_change_is_made_to_the_current_generation_or_not_at_all(twice: IndexFolder, tmp_path: Path) -> None:
    new = tmp_path / "new.jsonl"
    new.write_text('{"id": "n", "text": "The lighthouse was sold on Monday."}', encoding="utf-8")
    damaged = twice.generation(twice.ids()[-1]) / "corpus.sqlite"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=r"corpus\.sqlite"):
        build_index(twice.path, new, from_current=True)
    assert len(twice.ids()) == 2


def test_a_change_keeps_the_model_and_the_passages_of_its_index(index: Path, tmp_path: Path) -> None:
    folder = IndexFolder(index)
    before = folder.manifest(folder.ids()[-1])
    new = tmp_path / "new.jsonl"
    new.write_text('{"id": "n", "text": "The lighthouse was sold on Monday."}', encoding="utf-8")
    after = build(
        folder,
        Change(from_current=True, offer=Offer((new,))),
        Recipe("another/model", 32, 2),
        Intake(),
        Silent(),
        keep=5,
        command="test",
    )
    assert after.encoder == before.encoder
    assert after.settings == before.settings
    assert after.counts["encoded"] == 1


def test_removing_an_article_that_is_not_there_changes_nothing(index: Path) -> None:
    folder = IndexFolder(index)
    before = folder.ids()
    change = Change(from_current=True, remove=frozenset({SEED_ID, "no-such-article"}))
    with pytest.raises(UsageError, match="no-such-article: no such article"):
        build(folder, change, Recipe(DEFAULT_MODEL, 200, 2), Intake(), Silent(), keep=5, command="test")
    assert folder.ids() == before


def test_collecting_keeps_what_serves_where_current_is_damaged(twice: IndexFolder) -> None:
    first, second = twice.ids()
    (twice.path / "CURRENT").write_text("nonsense", encoding="utf-8")
    with twice.writing("test"):
        assert twice.collect(keep=0) == [first]
    assert twice.ids() == [second]


def test_a_writer_that_was_killed_is_not_named_as_writing(index: Path) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(index)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert killed.stdout
    assert killed.stdin
    assert killed.stdout.readline() == b"held\n"
    assert f"process {killed.pid}" in IndexFolder(index).holder()
    killed.kill()
    killed.wait()
    killed.stdout.close()
    killed.stdin.close()
    assert IndexFolder(index).holder() == ""


def test_a_stray_folder_among_the_generations_is_none(index: Path) -> None:
    (index / "generations" / "backup-000001").mkdir()
    assert len(IndexFolder(index).ids()) == 1
    build_index(index, SEEDS)
    assert len(IndexFolder(index).ids()) == 2
