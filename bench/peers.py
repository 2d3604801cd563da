"""Dateline against txtai in one run: indexing, changes, starting, memory, searches, searches while indexing.

    python bench/peers.py [--peer .venv-txtai] [--passages N] [--turns N] [--json FILE]

Both get the same passages, cut by Dateline from newsquiz below DATELINE_EVAL, else from seeds/, and the same
weights. txtai runs as its documentation has it (hybrid, with content, served by its own API), and as
someone who knows it would set it up for this machine; both serve with one worker and with one for each core.
In each line the best of either counts. They work turn by turn. Prints a table; writes the figures with
their conditions.
"""

import argparse
import dataclasses
import itertools
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection, HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from load import ADMITS_ALL, OK, Figures, distinct_questions, measure
from start import PATIENCE_S, free_port
from volume import proportional_mb, tree

from indexer.cleaning import clean
from indexer.encoder import locate, read_tokenizer
from indexer.folder import IndexFolder
from indexer.local.generation import LocalIndex
from indexer.models import RawArticle
from indexer.passages import cut, encoded_text, sentences
from indexer.settings import DEFAULT_MODEL
from indexer.sources import Intake, Offer, read

HERE = Path(__file__).resolve().parent
EVAL = Path(os.environ.get("DATELINE_EVAL", "../shared/eval"))
SEEDS = HERE.parent / "seeds"
RESULTS = HERE / "results"
CLIENTS = (1, 16, 64)
WARM_S = 1.5
MOST_S = 300.0  # for one request: a peer that indexes answers nobody
ADDED = "The paper said on Tuesday that some of these figures had since been revised."
CORES = len(os.sched_getaffinity(0))

Record = dict[str, str]


# --- what is indexed


def records(count: int) -> Iterator[Record]:
    """Articles until they hold about `count` passages. Where there are too few, they come again with their
    sentences in another order."""
    corpus = EVAL / "newsquiz" / "corpus.jsonl"
    spans = read_tokenizer(locate(DEFAULT_MODEL))
    raws = list(read(Offer((corpus if corpus.is_file() else SEEDS,)), Intake()))
    for turn in itertools.count():
        for number, raw in enumerate(raws):
            record = _record(raw, f"a{turn}-{number}", turn)
            article = clean(dataclasses.replace(raw, text=record["text"])).article
            if article is None:
                continue
            yield record
            count -= len(cut(article.text, spans, max_tokens=200))
            if count <= 0:
                return


def _record(raw: RawArticle, name: str, turn: int) -> Record:
    text = raw.text
    if turn:
        told = [text[one.start : one.end] for one in sentences(text)]
        random.Random(turn).shuffle(told)  # noqa: S311  no secret
        text = " ".join(told)
    return {"id": name, "title": raw.title, "text": text, "date": raw.published, "source": raw.source}


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def passages(index: Path) -> dict[str, str]:
    """What Dateline's own index encoded, by the passages' ids."""
    with LocalIndex(IndexFolder(index)).open_best(sys.exit) as generation:
        rows = list(range(generation.corpus.passage_count))
        return {
            passage.id: encoded_text(article, passage.span)
            for passage, article in generation.corpus.read(rows)
        }


# --- who indexes and serves


def command_s(command: list[str | Path], env: Mapping[str, str] | None = None) -> float:
    """The seconds of a whole command; what it said is shown where it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    if done.returncode:
        sys.exit(f"{command[:5]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return time.perf_counter() - started


def get(port: int, path: str, body: object = None) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=MOST_S)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def answers(port: int, path: str) -> bool:
    try:
        status, body = get(port, path)
    except (OSError, HTTPException):
        return False
    return status == OK and len(body) > len(path)


@contextmanager
def running(command: list[str], port: int, path: str, env: Mapping[str, str]) -> Iterator[tuple[int, float]]:
    """A service's process and the seconds from its start to its first answered search."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **env}
    )
    try:
        while not answers(port, path):
            if process.poll() is not None or time.perf_counter() - started > PATIENCE_S:
                sys.exit(f"{' '.join(command[:5])} answered no search")
            time.sleep(0.01)
        yield process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


class Dateline:
    """As it is shipped, or with several workers."""

    def __init__(self, workers: int = 1) -> None:
        self.name = f"dateline, {workers} workers" if workers > 1 else "dateline"
        self._env = {**ADMITS_ALL, "DATELINE_WORKERS": str(workers)}

    def index(self, articles: Path, index: Path, command: str = "build") -> float:
        """`dateline index build` or `add` as a whole, in seconds."""
        return command_s([sys.executable, "-m", "service.cli", "index", command, articles, "--index", index])

    def path(self, question: str) -> str:
        return f"/v1/search?q={quote(question)}&limit=10"

    @contextmanager
    def serving(self, index: Path) -> Iterator[tuple[int, int, float]]:
        """Its process, its port, and when it was ready."""
        port = free_port()
        command = [sys.executable, "-m", "service.cli", "serve", "--index", str(index), "--port", str(port)]
        with running(command, port, self.path("Who said so?"), self._env) as (pid, ready_s):
            yield pid, port, ready_s


class Txtai:
    """One way to set it up."""

    def __init__(self, python: Path, name: str, dtype: str, workers: int = 1) -> None:
        """`dtype`: what the network computes in. Several `workers` share the cores out among them."""
        self._python = python
        self.name = name
        self._dtype = dtype
        self._workers = workers

    def index(self, texts: Path, index: Path, command: str = "index") -> float:
        """A script of its API's that indexes or upserts and saves, as a whole, in seconds."""
        return command_s(
            [self._python, HERE / "txtai_index.py", command, texts, index, "--dtype", self._dtype],
            {"TRANSFORMERS_VERBOSITY": "error"},
        )

    def path(self, question: str) -> str:
        return f"/search?query={quote(question)}&limit=10"

    @contextmanager
    def serving(self, index: Path) -> Iterator[tuple[int, int, float]]:
        port = free_port()
        config = index.with_suffix(".yml")
        # JSON is YAML. What is saved beside the index counts until the service indexes anew.
        embeddings = {
            "path": str(locate(DEFAULT_MODEL)),
            "hybrid": True,
            "content": True,
            "vectors": {"dtype": self._dtype},
        }
        settings = {"path": str(index), "writable": True, "embeddings": embeddings}
        config.write_text(json.dumps(settings), encoding="utf-8")
        command = [str(self._python), "-m", "uvicorn", "txtai.api:app", "--port", str(port)]
        command += ["--no-access-log", "--workers", str(self._workers)]
        env = {"CONFIG": str(config), "OMP_NUM_THREADS": str(max(1, CORES // self._workers))}
        with running(command, port, self.path("Who said so?"), env) as (pid, ready_s):
            yield pid, port, ready_s


Side = Dateline | Txtai


# --- what is measured


def questions(seed: int) -> Iterator[str]:
    judged = EVAL / "newsquiz" / "queries.jsonl"
    seeds = HERE.parent / "tests" / "quality" / "seeds" / "queries.jsonl"
    return distinct_questions(judged if judged.is_file() else seeds, seed=seed)


def load(
    side: Side, port: int, clients: int, seconds: float, seed: int, longer: Callable[[], bool] | None = None
) -> Figures:
    def url(question: str) -> str:
        return f"http://127.0.0.1:{port}{side.path(question)}"

    return measure(url, questions(seed), clients, seconds, longer or (lambda: False))


def searches(sides: list[tuple[Side, Path]], turns: int, seconds: float) -> dict[str, Any]:
    """By side and clients, the medians over the turns; with each side's start and memory."""
    found: dict[str, Any] = {side.name: {"ready_s": [], "memory_mb": [], "load": {}} for side, _ in sides}
    for turn in range(turns):
        for side, index in sides:
            own = found[side.name]
            with side.serving(index) as (pid, port, ready_s):
                own["ready_s"].append(ready_s)
                for question in itertools.islice(questions(1000 + turn), 200):
                    get(port, side.path(question))
                own["memory_mb"].append(sum(map(proportional_mb, tree(pid))))
                for clients in CLIENTS:
                    load(side, port, clients, WARM_S, seed=100 + turn)
                    figures = dataclasses.asdict(load(side, port, clients, seconds, seed=turn))
                    own["load"].setdefault(str(clients), []).append(figures)
                    print(
                        f"  {side.name:24} {clients:3} clients {figures['p50_ms']:8.1f} ms p50"
                        f" {figures['p99_ms']:8.1f} ms p99 {figures['per_second']:8.1f}/s"
                        f" {figures['failed']} failed",
                        flush=True,
                    )
    for own in found.values():
        own["ready_s"] = min(own["ready_s"])
        own["memory_mb"] = statistics.median(own["memory_mb"])
        own["load"] = {
            clients: {name: statistics.median(one[name] for one in turns_) for name in turns_[0]}
            for clients, turns_ in own["load"].items()
        }
    return found


def during(side: Side, index: Path, change: Callable[[int], None], seconds: float) -> dict[str, Any]:
    """Searches of one client in quiet, and then from the beginning of a change until it is served."""
    with side.serving(index) as (_, port, _):
        load(side, port, 1, WARM_S, seed=7)
        quiet = load(side, port, 1, seconds, seed=8)
        took: list[float] = []

        def work() -> None:
            started = time.perf_counter()
            change(port)
            took.append(time.perf_counter() - started)
            time.sleep(0.5)

        worker = threading.Thread(target=work)
        worker.start()
        try:
            busy = dataclasses.asdict(load(side, port, 1, 1.0, seed=9, longer=worker.is_alive))
        except ConnectionError as error:
            busy = {"failed": 1, "error": str(error)}
        worker.join()
    return {"quiet": dataclasses.asdict(quiet), "busy": busy, "took_s": took[0] if took else None}


def rebuilt(ours: Dateline, articles: Path, index: Path) -> Callable[[int], None]:
    """The command, beside the service, until what it built is served."""

    def change(port: int) -> None:
        ours.index(articles, index)
        built = IndexFolder(index).current()
        while json.loads(get(port, "/v1/index")[1])["generation"] != built:
            time.sleep(0.02)

    return change


def posted(texts: dict[str, str | None], action: str) -> Callable[[int], None]:
    """How a client of txtai's changes what it serves."""

    def change(port: int) -> None:
        if gone := [name for name, text in texts.items() if text is None]:
            must(get(port, "/delete", gone))
        must(get(port, "/add", [{"id": name, "text": text} for name, text in texts.items() if text]))
        must(get(port, f"/{action}"))

    return change


def must(answer: tuple[int, bytes]) -> None:
    if answer[0] != OK:
        sys.exit(f"the peer answered {answer[0]}: {answer[1][:500]!r}")


def measured(python: Path, count: int, turns: int, seconds: float, scratch: Path) -> dict[str, Any]:
    ours = Dateline()
    documented = Txtai(python, "txtai", "float32")
    tuned = Txtai(python, "txtai, bfloat16", "bfloat16")
    spread = Txtai(python, f"txtai, {CORES} workers", "float32", workers=CORES)
    own, theirs, theirs_tuned = scratch / "index", scratch / "txtai", scratch / "txtai-bf16"

    articles = list(records(count))
    whole = write(scratch / "articles.jsonl", articles)
    few = max(1, len(articles) // 100)
    edited = [{**record, "text": f"{record['text']}\n\n{ADDED}"} for record in articles[-few:]]
    edits = write(scratch / "edits.jsonl", edited)
    one_percent = write(scratch / "edited.jsonl", articles[:-few] + edited)
    retitled = write(
        scratch / "retitled.jsonl", [{**one, "title": f"{one['title']} (updated)"} for one in articles]
    )
    first = write(scratch / "first.jsonl", [{**articles[0], "text": articles[0]["text"][:400]}])

    def say(what: str, value: float) -> float:
        print(f"  {what:44} {value:8.2f}", flush=True)
        return value

    print(f"{len(articles)} articles; whole commands, seconds")
    times: dict[str, float] = {}
    times["ours_cold"] = say("dateline, one passage", ours.index(first, scratch / "cold"))
    times["ours_build"] = say("dateline, all", ours.index(whole, own))
    texts = passages(own)
    listed = write(scratch / "texts.jsonl", [{"id": name, "text": text} for name, text in texts.items()])
    one = write(scratch / "one.jsonl", [{"id": "x", "text": next(iter(texts.values()))}])
    for peer, index, name in ((documented, theirs, "theirs"), (tuned, theirs_tuned, "theirs_tuned")):
        times[f"{name}_cold"] = say(f"{peer.name}, one passage", peer.index(one, scratch / "cold-t"))
        times[f"{name}_build"] = say(f"{peer.name}, all", peer.index(listed, index))
    for _ in range(turns - 1):  # the best turn of each counts
        shutil.rmtree(own)
        for name, again in (
            ("ours_build", partial(ours.index, whole, own)),
            ("theirs_build", partial(documented.index, listed, theirs)),
            ("theirs_tuned_build", partial(tuned.index, listed, theirs_tuned)),
        ):
            times[name] = min(times[name], say(f"{name}, once more", again()))
    quicker = min((documented, tuned), key=lambda side: times[_key(side, documented) + "_build"])
    fast = theirs if quicker is documented else theirs_tuned

    times["ours_again"] = say("dateline, all again unchanged", ours.index(whole, own))
    times["theirs_again_index"] = say(f"{quicker.name}, index again", quicker.index(listed, fast))
    times["theirs_again_upsert"] = say(
        f"{quicker.name}, upsert the same", quicker.index(listed, fast, "upsert")
    )
    beside = scratch / "beside"
    ours.index(whole, beside)
    times["ours_1_percent_build"] = say("dateline, build with 1 % edited", ours.index(one_percent, own))
    times["ours_1_percent_add"] = say("dateline, add the 1 %", ours.index(edits, beside, "add"))
    now = passages(own)
    changes: dict[str, str | None] = {
        **{name: None for name in texts if name not in now},
        **{name: text for name, text in now.items() if texts.get(name) != text},
    }
    changed = write(scratch / "changes.jsonl", [{"id": k, "text": v} for k, v in changes.items()])
    times["theirs_1_percent_upsert"] = say(
        f"{quicker.name}, upsert the {len(changes)} changed", quicker.index(changed, fast, "upsert")
    )

    print("over HTTP, 10 results with their texts")
    sides: list[tuple[Side, Path]] = [
        (ours, own), (documented, theirs), (tuned, theirs_tuned),
        (Dateline(CORES), own), (spread, theirs),
    ]  # fmt: skip
    found = searches(sides, turns, seconds)

    print("searches of one client while the index changes")
    meanwhile: dict[str, Any] = {}
    everything: dict[str, str | None] = {name: f"{text} (updated)" for name, text in now.items()}
    for what, side, index, change in (
        ("ours_1_percent", ours, own, rebuilt(ours, whole, own)),
        ("theirs_1_percent", quicker, fast, posted(changes, "upsert")),
        ("ours_all", ours, own, rebuilt(ours, retitled, own)),
        ("theirs_all", quicker, fast, posted(everything, "index")),
    ):
        meanwhile[what] = during(side, index, change, seconds)
        busy, quiet = meanwhile[what]["busy"], meanwhile[what]["quiet"]
        print(
            f"  {what:20} p99 {quiet['p99_ms']:8.1f} ms quiet {busy.get('p99_ms', 0):9.1f} ms busy,"
            f" {busy['failed']} failed, {meanwhile[what]['took_s']:.1f} s",
            flush=True,
        )
    return {
        "articles": len(articles),
        "passages": len(texts),
        "changed_passages": len(changes),
        "seconds": times,
        "quicker": quicker.name,
        "searches": found,
        "meanwhile": meanwhile,
    }


def _key(side: Txtai, documented: Txtai) -> str:
    return "theirs" if side is documented else "theirs_tuned"


# --- what is compared


def compared(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each measure: ours, theirs at its best, how many times better ours is, and the target."""
    seconds, found = figures["seconds"], figures["searches"]
    ours = [one for name, one in found.items() if name.startswith("dateline")]
    others = [one for name, one in found.items() if not name.startswith("dateline")]
    count = figures["passages"]

    def line(
        what: str, unit: str, own: float, theirs: float, target: float | None, *, more: bool = False
    ) -> dict[str, Any]:
        ratio = own / theirs if more else theirs / own
        return {
            "what": what, "unit": unit, "ours": own, "theirs": theirs, "ratio": ratio, "target": target
        }  # fmt: skip

    def rate(name: str, *, cold: bool) -> float:
        return float(count / (seconds[f"{name}_build"] - (0 if cold else seconds[f"{name}_cold"])))

    lines = [
        line(
            f"indexing, {said}",
            "passages/s",
            rate("ours", cold=cold),
            max(rate("theirs", cold=cold), rate("theirs_tuned", cold=cold)),
            6 if cold else None,
            more=True,
        )
        for cold, said in ((True, "whole command"), (False, "without its start"))
    ]
    lines.append(
        line(
            "indexing, txtai as documented",
            "passages/s",
            rate("ours", cold=True),
            rate("theirs", cold=True),
            None,
            more=True,
        )
    )
    lines += [
        line(
            "the same again",
            "s",
            seconds["ours_again"],
            min(seconds["theirs_again_index"], seconds["theirs_again_upsert"]),
            50,
        ),
        line(
            "1 % changed, by a command",
            "s",
            min(seconds["ours_1_percent_build"], seconds["ours_1_percent_add"]),
            seconds["theirs_1_percent_upsert"],
            None,
        ),
        line(
            "1 % changed, until served",
            "s",
            figures["meanwhile"]["ours_1_percent"]["took_s"],
            figures["meanwhile"]["theirs_1_percent"]["took_s"],
            None,
        ),
        line(
            "start to first answer",
            "s",
            min(one["ready_s"] for one in ours),
            min(one["ready_s"] for one in others),
            8,
        ),
        line(
            "memory when serving",
            "MB",
            min(one["memory_mb"] for one in ours),
            min(one["memory_mb"] for one in others),
            4,
        ),
    ]
    for clients in map(str, CLIENTS):
        owns = [one["load"][clients] for one in ours]
        loads = [one["load"][clients] for one in others]
        lines += [
            line(
                f"search {name[:3]}, {clients} client{'s' * (clients != '1')}",
                "ms",
                min(one[name] for one in owns),
                min(one[name] for one in loads),
                8 if (name, clients) == ("p50_ms", "1") else None,
            )
            for name in ("p50_ms", "p95_ms", "p99_ms")
        ]
        lines.append(
            line(
                f"searches, {clients} client{'s' * (clients != '1')}",
                "1/s",
                max(one["per_second"] for one in owns),
                max(one["per_second"] for one in loads),
                12 if clients == "16" else None,
                more=True,
            )
        )
    return lines


def disturbed(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """What a change does to searches meanwhile."""
    return [
        {
            "what": what,
            "failed": one["busy"]["failed"],
            "quiet_p99_ms": one["quiet"]["p99_ms"],
            "busy_p99_ms": one["busy"].get("p99_ms"),
            "times": one["busy"]["p99_ms"] / one["quiet"]["p99_ms"] if "p99_ms" in one["busy"] else None,
            "longest_ms": one["busy"].get("most_ms"),
            "took_s": one["took_s"],
        }
        for what, one in figures["meanwhile"].items()
    ]


def conditions(python: Path | None = None) -> dict[str, Any]:
    """What the figures were measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    versions = {name: version(name) for name in ("dateline", "openvino", "faiss-cpu", "tantivy", "uvicorn")}
    if python:
        listed = subprocess.run(
            [python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
        ).stdout
        wanted = {"txtai", "torch", "transformers", "faiss-cpu"}
        versions |= {
            f"{one['name']} (txtai's)": one["version"] for one in json.loads(listed) if one["name"] in wanted
        }
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{model}, {platform.system()} {platform.machine()}",
        "cores": CORES,
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "versions": versions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer", type=Path, default=Path(".venv-txtai"), help="txtai's environment")
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--json", type=Path, default=RESULTS / "peers.json")
    asked = parser.parse_args()
    python = asked.peer.absolute() / "bin" / "python"
    if not python.is_file():
        print(f"skipped: there is no txtai in {asked.peer}; run: make bench-peers")
        return
    began = conditions(python)
    with tempfile.TemporaryDirectory() as scratch:
        figures = measured(python, asked.passages, asked.turns, asked.seconds, Path(scratch))
    began["load_average_after"] = os.getloadavg()
    lines, meanwhile = compared(figures), disturbed(figures)
    asked.json.parent.mkdir(exist_ok=True)
    written = {"conditions": began, "compared": lines, "meanwhile": meanwhile, "figures": figures}
    asked.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(f"\n{'':32} {'dateline':>10} {'txtai':>10} {'ratio':>7}  target")
    for line in lines:
        target = (
            f"{line['target']}x {'met' if line['ratio'] >= line['target'] else 'MISSED'}"
            if line["target"]
            else ""
        )
        print(
            f"{line['what'] + ', ' + line['unit']:32} {line['ours']:10.2f} {line['theirs']:10.2f}"
            f" {line['ratio']:6.1f}x  {target}"
        )


if __name__ == "__main__":
    main()
