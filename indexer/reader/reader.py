"""The only door to the reader's network: runs it on the CPU, without torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import properties
from openvino.properties import hint
from tokenizers import Encoding, Tokenizer

from indexer.cores import cores
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
    """One window of a passage: which passage, its tokens, and how many of its characters are title."""

    passage: int
    encoding: Encoding
    skipped: int


class Reader:
    """One graph, compiled when it is first needed; may be called from several threads, which then wait for
    one another."""

    def __init__(self, folder: Path, *, threads: int = 0) -> None:
        """`threads`: cores that it may keep busy, 0 meaning all. Raises DamagedError where the folder holds
        no reader."""
        self.facts = Facts.read(folder)
        self._graph = folder / GRAPH
        self._threads = threads or cores()
        self._questions: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._questions.no_padding()
        self._questions.no_truncation()
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        window = self.facts.window
        self._tokenizer.enable_truncation(window, stride=min(_STRIDE, window // 4), strategy="only_second")
        self._running = Lock()
        self._request: ov.InferRequest | None = None

    def load(self) -> None:
        """Has the first question not wait for what it would else wait for."""
        with self._running:
            self._loaded()

    def _loaded(self) -> ov.InferRequest:
        if self._request is None:
            core = ov.Core()
            has_bf16 = "BF16" in core.get_property("CPU", properties.device.capabilities)
            compiled = core.compile_model(
                core.read_model(self._graph),
                "CPU",
                {
                    hint.inference_precision: ov.Type.bf16 if has_bf16 else ov.Type.f32,
                    properties.num_streams: 1,
                    properties.inference_num_threads: self._threads,
                },
            )
            self._inputs = {name for node in compiled.inputs for name in node.names}
            self._request = compiled.create_infer_request()
        return self._request

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
        question = self._shortened(question)
        heads = [f"{title}\n" if title else "" for title in titles or [""] * len(passages)]
        texts = [head + passage for head, passage in zip(heads, passages, strict=True)]
        encodings = self._tokenizer.encode_batch([(question, text) for text in texts])
        pieces = [
            _Piece(number, window, len(heads[number]))
            for number, encoding in enumerate(encodings)
            for window in [encoding, *encoding.overflowing]
        ]
        best = [
            [Reading(Span(place.start, place.start), -inf, 0.0, -inf) for place in some] for some in places
        ]
        for batch in _batches(pieces):
            for piece, spans, head in zip(batch, *self._infer(batch), strict=True):
                known = best[piece.passage]
                for at, place in enumerate(places[piece.passage]):
                    reading = _reading(piece, spans, float(head), self.facts.fit, place)
                    if reading is not None and reading.score > known[at].score:
                        known[at] = reading
        return best

    def _shortened(self, question: str) -> str:
        """The question's first words, so that some of the passage always fits beside it."""
        most = int(_QUESTION * self.facts.window)
        encoding = self._questions.encode(question, add_special_tokens=False)
        return question if len(encoding) <= most else question[: encoding.offsets[most - 1][1]]

    def _infer(self, batch: list[_Piece]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The logits of all tokens, (n, length, 2), and of there being an answer, (n,)."""
        padded = _padded([piece.encoding for piece in batch], self.facts.padding)
        with self._running:
            request = self._loaded()
            taken = {name: array for name, array in padded.items() if name in self._inputs}
            request.infer(taken, share_inputs=False)
            spans: npt.NDArray[np.float32] = request.get_tensor(SPANS).data.copy()
            answerable: npt.NDArray[np.float32] = request.get_tensor(ANSWERABLE).data.copy()
        return spans, answerable


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
    encoding = piece.encoding
    allowed = [
        at
        for at, (sequence, (start, end)) in enumerate(
            zip(encoding.sequence_ids, encoding.offsets, strict=True)
        )
        if sequence == 1  # the passage, no special token
        and start - piece.skipped >= place.start
        and end - piece.skipped <= place.end
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
    span = Span(
        encoding.offsets[first + int(start)][0] - piece.skipped,
        encoding.offsets[first + int(end)][1] - piece.skipped,
    )
    return Reading(span, score, fit.probability(head, score), fit.odds(head, score))
