"""Adding one per cent: the seconds of `dateline index add` against those of the build before it.

    python bench/incremental.py [--articles N] [--data DIR] [--json FILE]

N articles of one passage each, made by bench/mixed.py, are indexed and encoded for real; then N/100 others
are added, turn by turn to the index as it was built. The build's index and its seconds stay in the data
folder, and are used again where they are of the same number. Ends with 1 where adding takes over 3 %.
"""

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

import mixed
from peers import RESULTS, command_s, conditions

from indexer.folder import IndexFolder

MOST_SHARE = 0.03


def built(data: Path, said: list[str], count: int) -> float:
    """The seconds of the whole build, now or when the data folder was filled."""
    index, note = data / f"incremental-{count}", data / f"incremental-{count}.json"
    if not note.is_file():
        shutil.rmtree(index, ignore_errors=True)
        whole = mixed.write(data / "articles.jsonl", said, count)
        seconds = dateline("build", whole, index)
        note.write_text(json.dumps({"seconds": seconds}) + "\n", encoding="utf-8")
    return float(json.loads(note.read_text(encoding="utf-8"))["seconds"])


def dateline(command: str, articles: Path, index: Path) -> float:
    return command_s([sys.executable, "-m", "service.cli", "index", command, articles, "--index", index])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--articles", type=int, default=100_000)
    parser.add_argument("--data", type=Path, default=Path("bench-data"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, default=RESULTS / "incremental.json")
    asked = parser.parse_args()
    began, said = conditions(), mixed.real_sentences()
    asked.data.mkdir(parents=True, exist_ok=True)
    build_s = built(asked.data, said, asked.articles)
    folder = IndexFolder(asked.data / f"incremental-{asked.articles}")
    start = folder.candidates()[0]
    more = max(1, asked.articles // 100)
    turns = []
    for turn in range(asked.turns):
        first = asked.articles + turn * more
        added = mixed.write(asked.data / "added.jsonl", said, more, first=first)
        turns.append(dateline("add", added, folder.path))
        counts = folder.manifest(folder.candidates()[0]).counts
        if counts["articles"] != asked.articles + more:
            sys.exit(f"{more} were to be added; there are {counts['articles']}")
        folder.roll_back(start, "bench/incremental.py")
        for later in folder.ids():
            if later > start:
                shutil.rmtree(folder.generation(later))
        time.sleep(0.1)
    add_s = sorted(turns)[len(turns) // 2]
    share = add_s / build_s
    print(f"{asked.articles:,} articles: {build_s:.1f} s; {more:,} more: {add_s:.2f} s, {share:.2%}")
    figures = {
        "conditions": began, "articles": asked.articles, "added": more,
        "build_s": build_s, "add_s": add_s, "turns_s": turns, "share": share, "most_share": MOST_SHARE,
    }  # fmt: skip
    asked.json.parent.mkdir(exist_ok=True)
    asked.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(share > MOST_SHARE)


if __name__ == "__main__":
    main()
