"""How soon and how many searches are answered over HTTP: distinct questions, at 1, 16 and 64 clients.

    python bench/search.py [--index DIR] [--workers N …] [--clients N …] [--seconds S] [--turns N]

Starts `dateline serve` for each number of workers and asks it questions that never repeat, made of those of
newsquiz below DATELINE_EVAL. Prints the medians of the turns: times of a question, questions a second, what
of a core the clients took, the service's own time on the processors for a question, which says most on a busy
machine, and its memory (PSS: what its processes share counts once).
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from load import ADMITS_ALL, Figures, distinct_questions, measure
from start import PATIENCE_S, free_port, is_ready, resident_mb
from volume import proportional_mb, tree

QUESTIONS = Path(os.environ.get("DATELINE_EVAL", "../shared/eval")) / "newsquiz" / "queries.jsonl"
WARM_S = 2.0


@contextmanager
def served(index: Path, *options: str) -> Iterator[tuple[int, int]]:
    """A service's process id and port, ready; it ends with the context."""
    port = free_port()
    command = [sys.executable, "-m", "service.cli", "serve", "--index", str(index), "--port", str(port)]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.DEVNULL, env={**os.environ, **ADMITS_ALL}
    )
    started = time.perf_counter()
    try:
        while not is_ready(port):
            if process.poll() is not None or time.perf_counter() - started > PATIENCE_S:
                sys.exit(f"the service did not get ready; is there an index in {index}?")
            time.sleep(0.02)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--index", type=Path, default=Path("index"))
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    if not QUESTIONS.is_file():
        print(f"skipped: there is no {QUESTIONS} (DATELINE_EVAL names the folder of judged collections)")
        return
    print(
        "workers clients    p50 ms    p95 ms    p99 ms       1/s  failed  client's core    KB each    CPU ms"
    )
    for workers in asked.workers:
        questions = distinct_questions(QUESTIONS)
        options = ("--workers", str(workers)) if workers > 1 else ()
        with served(asked.index, *options) as (pid, port):

            def url(question: str, port: int = port) -> str:
                return f"http://127.0.0.1:{port}/v1/search?q={quote(question)}"

            measure(url, questions, 2 * workers, WARM_S)
            turns = []
            for _ in range(asked.turns):
                turn = []
                for clients in asked.clients:
                    before = cpu_s(pid)
                    figures = measure(url, questions, clients, asked.seconds)
                    turn.append((figures, (cpu_s(pid) - before) * 1000 / figures.requests))
                turns.append(turn)
            for measured in zip(*turns, strict=True):
                show(workers, measured)
            processes = tree(pid)
            print(
                f"{workers:7} memory: {sum(map(proportional_mb, processes)):.0f} MB PSS, "
                f"{', '.join(f'{resident_mb(one):.0f}' for one in processes)} MB resident"
            )


def cpu_s(pid: int) -> float:
    """What a process and all below it have had of the processors."""
    ticks = 0
    for one in tree(pid):
        fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def show(workers: int, measured: tuple[tuple[Figures, float], ...]) -> None:
    def median(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one, _ in measured))

    print(
        f"{workers:7} {measured[0][0].clients:7} {median('p50_ms'):9.2f} {median('p95_ms'):9.2f}"
        f" {median('p99_ms'):9.2f} {median('per_second'):9.1f} {sum(one.failed for one, _ in measured):7}"
        f" {median('client_cpu'):14.0%} {median('bytes_each') / 1024:10.1f}"
        f" {statistics.median(cpu for _, cpu in measured):9.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
