"""A large collection, from its packed dump to a generation: memory, speed, stories, and whether all adds up.

    python bench/volume.py [--dump FILE] [--keep DIR]

Runs `dateline index build FILE` and looks at its processes ten times a second. The dump is by default
reuters/articles.jsonl.xz below DATELINE_EVAL. Exits with 1 where the memory of all processes together went
over a gigabyte or the report does not add up to the input.
"""

import argparse
import json
import lzma
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex

DUMP = Path(os.environ.get("DATELINE_EVAL", "../shared/eval")) / "reuters" / "articles.jsonl.xz"
MOST_MB = 1000
_SHOWN = 5  # stories


class Watch(threading.Thread):
    """The most memory, in MB, that a process and its children held at once: their proportional share of
    what is resident. `by_stage` is told by the stage that the build's own words name."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.stage = ""
        self.by_stage: dict[str, float] = {}

    def run(self) -> None:
        while not self._over.wait(0.1):
            held = sum(map(proportional_mb, tree(self._pid)))
            self.by_stage[self.stage] = max(held, self.by_stage.get(self.stage, 0.0))

    def end(self) -> float:
        self._over.set()
        self.join()
        return max(self.by_stage.values(), default=0.0)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def proportional_mb(pid: int) -> float:
    with suppress(OSError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def lines_of(dump: Path) -> int:
    with lzma.open(dump) if dump.suffix == ".xz" else dump.open("rb") as stream:
        return sum(1 for line in stream if line.strip())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dump", type=Path, default=DUMP)
    parser.add_argument("--keep", type=Path, help="folder for the index; by default it is thrown away")
    asked = parser.parse_args()
    if not asked.dump.is_file():
        print(f"skipped: there is no {asked.dump} (DATELINE_EVAL names the folder of judged collections)")
        return
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(not measured(asked.dump, asked.keep or Path(scratch)))


def measured(dump: Path, folder: Path) -> bool:
    index, report = folder / "index", folder / "report.jsonl"
    command = [Path(sys.executable).with_name("dateline"), "index", "build", dump, "--index", index]
    started = time.monotonic()
    build = subprocess.Popen(
        [*map(str, command), "--report", str(report), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    watch = Watch(build.pid)
    watch.start()
    for line in build.stderr or ():
        if line.startswith("warning"):
            continue
        print(f"  {line.rstrip()}")
        watch.stage = line.partition(":")[0]
    summary = (build.stdout or sys.stdin).read()
    most_mb = watch.end()
    seconds = time.monotonic() - started
    if build.wait():
        sys.exit(f"the build ended with {build.returncode}")
    counts = json.loads(summary)["counts"]
    outcomes = Counter(json.loads(line)["outcome"] for line in report.read_text().splitlines())
    lines = lines_of(dump)
    adds_up = lines == counts["read"] == counts["articles"] + counts["repeated"] + counts["skipped"]
    adds_up &= outcomes["skipped"] == counts["skipped"]
    print(f"{lines:,} records = {counts['articles']:,} articles + {counts['repeated']:,} seen before")
    print(f"  + {counts['skipped']:,} skipped; the report {'adds up' if adds_up else 'DOES NOT ADD UP'}")
    print(f"in the report: {', '.join(f'{count:,} {name}' for name, count in outcomes.items())}")
    print(f"{counts['passages']:,} passages; {seconds:.0f} s, {counts['articles'] / seconds:.0f} articles/s")
    print(f"most memory of all processes: {most_mb:.0f} MB (allowed {MOST_MB})")
    print(f"{counts['stories_with_copies']:,} stories in several copies, such as")
    with LocalIndex(IndexFolder(index)).open_best(sys.exit) as generation:
        for copies in list(generation.corpus.stories())[:_SHOWN]:
            titles = [generation.corpus.article(copy) for copy in copies]
            print("  " + " | ".join(f"{one.id} {one.title}" for one in titles if one))
    return adds_up and most_mb <= MOST_MB


if __name__ == "__main__":
    main()
