"""A large dump encoded by a Ray cluster and by this machine alone: whether both indexes are the same, and how
long each took.

    python bench/bulk.py --address HOST:PORT [--dump FILE] [--limit N]

The dump is by default reuters/articles.jsonl.xz below DATELINE_EVAL, of which the first N articles are taken.
The cluster is yours (docs/bulk.md). Prints a line of JSON; exits with 1 where the indexes differ in a text, a
story or a passage, or their vectors by more than a thousandth.
"""

import argparse
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from tests.bulk.comparing import compared

DUMP = Path(os.environ.get("DATELINE_EVAL", "../shared/eval")) / "reuters" / "articles.jsonl.xz"
DATELINE = Path(sys.executable).parent / "dateline"
_MOST_APART = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--address", required=True)
    parser.add_argument("--dump", type=Path, default=DUMP)
    parser.add_argument("--limit", type=int, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        dump = here / "dump.jsonl"
        with lzma.open(asked.dump, "rb") as packed, dump.open("wb") as stream:
            stream.writelines(islice(packed, asked.limit))
        cluster = ["--engine", "ray", "--address", asked.address, "--parts", str(here / "parts")]
        by_cluster = build(dump, here / "cluster", *cluster)
        again = build(dump, here / "again", *cluster)
        by_itself = build(dump, here / "local")
        difference = compared(here / "local", here / "cluster")
        told = {
            "cores": os.cpu_count(),
            "load": os.getloadavg()[1],
            "cluster": by_cluster,
            "cluster, run again": again,
            "local": by_itself,
            "vectors differ by": difference.vectors,
            "share of codes that differ": difference.codes,
            "parts_mb": round(
                sum(path.stat().st_size for path in (here / "parts").rglob("*.parquet")) / 1e6, 1
            ),
        }
        print(json.dumps(told))
    if difference.vectors > _MOST_APART:
        sys.exit("the vectors differ")


def build(dump: Path, index: Path, *options: str) -> dict[str, float]:
    """A build from nothing: its seconds, and how many passages the build itself encoded."""
    began = time.perf_counter()
    result = subprocess.run(
        [DATELINE, "index", "build", dump, "--index", index, "--json", *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    took_s = time.perf_counter() - began
    counts = json.loads(result.stdout)["counts"]
    return {"seconds": round(took_s, 1)} | {
        name: counts[name] for name in ("articles", "passages", "encoded")
    }


if __name__ == "__main__":
    main()
