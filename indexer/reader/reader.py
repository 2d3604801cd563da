"""The only door to the reader's network: runs it on the CPU, without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import properties
from openvino.properties import hint
from tokenizers import Encoding, Tokenizer

from indexer.cores import cores
from indexer.errors import DamagedError
from indexer.models import Span
from indexer.reader.facts import ANSWERABLE, GRAPH, IDS, MASK, SPANS, TOKENIZER, TYPES, Facts, Fit

_STRIDE = 64  # tokens that neighbouring windows share, or a quarter
_QUESTION = 3 / 8  # of a window; what goes beyond is no question
_BATCH_TOKENS = 1024
_TILE = 16
_LONGEST = 30  # tokens of an answer


@dataclass(frozen=True, slots=True)
class Reading:
    """The best answer of one passage.

    `span` counts code points of the passage. `score` is the span's two logits less those of "no
    answer": higher is better, and above 0 an answer is likelier than none. `answerable` is the
    probability, in [0, 1], that the passage answers the question, `odds` the logarithm of its odds.
    """

    span: Span
    score: float
    answerable: float
    odds: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """One window of a passage: which passage, its tokens, and where in the passage each of these stands; None
    for those of the question and the title, and for special ones."""

    passage: int
    encoding: Encoding
    spans: list[Span | None]


class _Network:
    """A graph ready to run, and its tokenizer, with and without a limit."""

    def __init__(self, folder: Path, window: int, threads: int) -> None:
        self.unlimited: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.unlimited.no_padding()
        self.unlimited.no_truncation()
        self.tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(window, stride=min(_STRIDE, window // 4), strategy="only_second")
        core = ov.Core()
        has_bf16 = "BF16" in core.get_property("CPU", properties.device.capabilities)
        compiled = core.compile_model(
            core.read_model(folder / GRAPH),
            "CPU",
            {
                hint.inference_precision: ov.Type.bf16 if has_bf16 else ov.Type.f32,
                properties.num_streams: 1,
                properties.inference_num_threads: threads,
            },
        )
        self.inputs = {name for node in compiled.inputs for name in node.names}
        self.request: ov.InferRequest = compiled.create_infer_request()


class Reader:
    """One network, loaded when it is first needed; may be called from several threads, which then wait for
    one another."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """`threads`: cores that it may keep busy, 0 meaning all. Raises DamagedError where the folder holds
        no reader."""
        self.facts = Facts.read(folder)
        self._folder = folder
        self._threads = threads or cores()
        self._running = Lock()
        self._network: _Network | None = None

    def load(self) -> None:
        """Has the first question not wait for what it would else wait for.

        Raises DamagedError where it cannot be run.
        """
        self._loaded()

    def _loaded(self) -> _Network:
        with self._running:
            if self._network is None:
                try:
                    self._network = _Network(self._folder, self.facts.window, self._threads)
                except Exception as error:  # what tokenizers and OpenVINO raise of files that are none
                    raise DamagedError(
                        f"{self._folder}: holds no reader that can be run ({str(error)[:200]}); "
                        "run: dateline index build"
                    ) from error
            return self._network

    def read(
        self, question: str, passages: Sequence[str], *, titles: Sequence[str] | None = None
    ) -> list[Reading]:
        """The best answer of every passage, in order.

        `titles`, one a passage, are read in front of the passages; no answer is taken from them.
        """
        places = [[Span(0, len(passage))] for passage in passages]
        return [readings[0] for readings in self.read_places(question, passages, places, titles=titles)]

    def read_places(
        self,
        question: str,
        passages: Sequence[str],
        places: Sequence[Sequence[Span]],
        *,
        titles: Sequence[str] | None = None,
    ) -> list[list[Reading]]:
        """For every passage the best answer inside each of its `places`: of each sentence, say.

        A place whose tokens no window holds has score -inf and probability 0.
        """
        network = self._loaded()
        question = self._shortened(network, question)
        heads = [f"{title}\n" if title else "" for title in titles or [""] * len(passages)]
        texts = [head + passage for head, passage in zip(heads, passages, strict=True)]
        encodings = network.tokenizer.encode_batch([(question, text) for text in texts])
        pieces = [
            _Piece(number, window, _spans(window, texts[number], len(heads[number])))
            for number, encoding in enumerate(encodings)
            for window in [encoding, *encoding.overflowing]
        ]
        best = [
            [Reading(Span(place.start, place.start), -inf, 0.0, -inf) for place in some] for some in places
        ]
        for batch in _batches(pieces):
            for piece, spans, head in zip(batch, *self._infer(network, batch), strict=True):
                known = best[piece.passage]
                for at, place in enumerate(places[piece.passage]):
                    reading = _reading(piece, spans, float(head), self.facts.fit, place)
                    if reading is not None and reading.score > known[at].score:
                        known[at] = reading
        return best

    def _shortened(self, network: _Network, question: str) -> str:
        """The question's first words, so that some of the passage always fits beside it."""
        most = int(_QUESTION * self.facts.window)
        encoding = network.unlimited.encode(question, add_special_tokens=False)
        return question if len(encoding) <= most else question[: encoding.offsets[most - 1][1]]

    def _infer(
        self, network: _Network, batch: list[_Piece]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The logits of all tokens, (n, length, 2), and of there being an answer, (n,)."""
        padded = _padded([piece.encoding for piece in batch], self.facts.padding)
        taken = {name: array for name, array in padded.items() if name in network.inputs}
        with self._running:
            network.request.infer(taken, share_inputs=False)
            spans: npt.NDArray[np.float32] = network.request.get_tensor(SPANS).data.copy()
            answerable: npt.NDArray[np.float32] = network.request.get_tensor(ANSWERABLE).data.copy()
        return spans, answerable


def _spans(window: Encoding, text: str, skipped: int) -> list[Span | None]:
    """Where each token stands in a passage that begins after so many characters of its text. Some tokenizers
    count the space before a word to it."""
    found: list[Span | None] = []
    for sequence, (start, end) in zip(window.sequence_ids, window.offsets, strict=True):
        while sequence == 1 and start < end and text[start].isspace():
            start += 1  # noqa: PLW2901  where its word begins
        found.append(Span(start - skipped, end - skipped) if sequence == 1 and start >= skipped else None)
    return found


def _batches(pieces: list[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces of about one length together: little padding, bounded memory."""
    batch: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: -len(piece.encoding)):
        if batch and len(batch[0].encoding) * (len(batch) + 1) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _padded(encodings: list[Encoding], padding: int) -> dict[str, npt.NDArray[np.int64]]:
    length = -(-max(map(len, encodings)) // _TILE) * _TILE
    arrays = {name: np.zeros((len(encodings), length), dtype=np.int64) for name in (IDS, MASK, TYPES)}
    arrays[IDS][:] = padding
    for row, encoding in enumerate(encodings):
        arrays[IDS][row, : len(encoding)] = encoding.ids
        arrays[MASK][row, : len(encoding)] = 1
        arrays[TYPES][row, : len(encoding)] = encoding.type_ids
    return arrays


def _reading(
    piece: _Piece, spans: npt.NDArray[np.float32], head: float, fit: Fit, place: Span
) -> Reading | None:
    """The span whose first and last token score best together (Devlin et al., NAACL 2019)."""
    allowed = [
        at
        for at, span in enumerate(piece.spans)
        if span and span.start < span.end and place.start <= span.start and span.end <= place.end
    ]
    if not allowed:
        return None
    first, last = allowed[0], allowed[-1] + 1
    starts, ends = spans[first:last, 0].astype(np.float64), spans[first:last, 1].astype(np.float64)
    in_order = ~np.tri(len(starts), k=-1, dtype=bool)
    together = np.where(
        in_order & np.tri(len(starts), k=_LONGEST - 1, dtype=bool), starts[:, None] + ends[None, :], -np.inf
    )
    start, end = np.unravel_index(int(np.argmax(together)), together.shape)
    score = float(together[start, end] - spans[0].sum())
    begins, ends_at = piece.spans[first + int(start)], piece.spans[first + int(end)]
    if not begins or not ends_at or not isfinite(score):
        return None
    span = Span(begins.start, ends_at.end)
    return Reading(span, score, fit.probability(head, score), fit.odds(head, score))
