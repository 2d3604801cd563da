"""The only door to FAISS: which passages lie nearest to a question's vector.

An index is a folder of segments, stretches of rows that are written once and never changed:

    segments.json     the segments in the order of their rows, with what was measured of each
    000001.vectors    each row's vector, f16: what is scored, and handed out for a next index
    000001.lists      of a large segment: its rows in inverted lists, one bit a dimension

A small segment is scanned whole, its own vectors compared. Of a large one the lists nearest to the question
are read, as RaBitQ codes (Gao & Long, SIGMOD 2024), and the best several hundred rows are then scored by
their own vectors; so scores are exact everywhere, and what may be lost is a row that never got so far. Both
files are mapped, and shared by processes.

What is added to an index stands in a segment of its own. Segments are merged before they grow many, each
row a few times (O'Neil et al., The log-structured merge-tree, 1996), and all into one once what was added
is a fifth of the first.
"""

import json
import mmap
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import faiss
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from indexer import storage
from indexer.cores import cores
from indexer.errors import DamagedError
from indexer.models import Mask, Rows, Scores, Vector, Vectors

Codes = npt.NDArray[np.uint8]
"""(n, 2 * dim): vectors in f16, as bytes."""

EXACT_UP_TO = 30_000
"""Passages up to which a segment is scanned whole: half a millisecond, and no list has to be learnt."""
_FEW_ALLOWED = 20_000  # allowed rows up to which just these are scored

_LIST = "segments.json"
_REST_MAY_BE = 0.2  # of the first segment, before all are made one
_BATCH = 1 << 16

# How a large segment is learnt: lists by the square root of its passages, as is usual; few turns of k-means,
# which is more than half of the time that it takes.
_LISTS_BY_ROOT = 4
_TURNS = 8
_MOST_LEARNT_FROM = 400_000
_LEARNT_FROM_A_LIST = 64

# The least effort that reaches the recall is kept: (share of the lists, rows scored for each one wanted), by
# what they cost. Real questions lose a little more than made ones where they are of another kind than the
# passages. What is lost of a hundred lies low among them: of a million passages searched with a recall@100 of
# .973, 995 of 1,000 that are among a question's best ten by vectors and words are those of exact search.
_RECALL = {10: 0.99, 100: 0.97}
_DEEPEST = max(_RECALL)
_EFFORTS = (
    *((1 / 128, 8), (1 / 64, 8), (1 / 32, 8), (1 / 32, 16), (1 / 16, 16), (3 / 32, 16), (1 / 8, 16)),
    *((1 / 8, 32), (3 / 16, 32), (1 / 4, 32), (1 / 2, 32), (1.0, 64)),
)
_QUESTIONS = 256
# Where few rows are allowed, the nearest of them lie farther off: in more lists.
_FILTERED_LISTS, _FILTERED_DEPTH = 0.5, 2

_NO_INDEX = "is no vector index of this version; run: dateline index build"


@dataclass(frozen=True, slots=True)
class Segment:
    """What is known of a segment: `lists` is 0 where it is scanned whole. Else `probes` lists are read for
    a question and `depth` rows scored for each one wanted, with which `recall_10` and `recall_100` of
    exact search were found for so many `questions`."""

    name: str
    passages: int
    lists: int = 0
    probes: int = 0
    depth: int = 0
    recall_10: float = 1.0
    recall_100: float = 1.0
    questions: int = 0

    @property
    def vectors_file(self) -> str:
        return f"{self.name}.vectors"

    @property
    def lists_file(self) -> str:
        return f"{self.name}.lists"


class VectorIndex:
    """Search by inner product over unit vectors; row r is passage r. Threads may share it."""

    def __init__(self, dimension: int, opened: "list[_Opened]") -> None:
        self._dimension = dimension
        self._opened = opened
        self._starts = np.cumsum([0, *(len(one) for one in opened)])

    @classmethod
    def open(cls, folder: Path) -> "VectorIndex":
        """Maps the files; raises DamagedError where they are not of the kind that VectorWriter makes."""
        dimension, segments = _read(folder)
        return cls(dimension, [_Opened(folder, one, dimension) for one in segments])

    def __len__(self) -> int:
        """All rows, those that are never allowed included."""
        return int(self._starts[-1])

    @property
    def dimension(self) -> int:
        return self._dimension

    @property
    def segments(self) -> list[Segment]:
        return [one.segment for one in self._opened]

    def search(self, vector: Vector, k: int, allowed: Mask | None = None) -> tuple[Rows, Scores]:
        """The k best rows by cosine, best first, the lower row first where scores are equal.

        `vector`: (dim,) unit. `allowed`: (n,) bool; what it excludes takes no place in the k, which are
        fewer only where fewer are allowed. Where few are allowed, none of the best is missed.
        """
        rows, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for one, start in zip(self._opened, self._starts.tolist(), strict=False):
            within = None if allowed is None else allowed[start : start + len(one)]
            found, cosines = one.search(vector, k, within)
            rows.append(found + start)
            scores.append(cosines)
        row, score = np.concatenate(rows), np.concatenate(scores)
        order = np.lexsort((row, -score))[:k]
        return row[order], score[order]

    def vectors(self, rows: Rows) -> Vectors:
        """The stored vectors, (len(rows), dim): stored again, they stay the same."""
        rows = np.asarray(rows, np.int64)
        found = np.empty((len(rows), self._dimension), np.float32)
        holding = np.searchsorted(self._starts, rows, side="right") - 1
        for place in np.unique(holding).tolist():
            here = holding == place
            found[here] = self._opened[place].vectors(rows[here] - self._starts[place])
        return found


class VectorWriter:
    """Writes an index, or adds to one, in a folder; use as a context.

    What is added goes to the disk as it comes. Nothing else may read the folder before the context has
    ended; where it ends with an error, the folder is not fit to be read.
    """

    def __init__(self, folder: Path, dimension: int, *, exact_up_to: int = EXACT_UP_TO) -> None:
        """A folder that is not there becomes a new index. One that is keeps its rows, and what is added
        stands behind them; its files may be shared with another index, for none is ever changed.

        Raises DamagedError where the folder holds something else, ValueError where its vectors are of
        another dimension.
        """
        self._folder = folder
        self._dimension = dimension
        self._exact_up_to = exact_up_to
        self._segments: list[Segment] = []
        if folder.exists():
            stored, self._segments = _read(folder)
            if stored != dimension:
                raise ValueError(f"{folder}: holds vectors of {stored} dimensions, not of {dimension}")
        else:
            storage.make_folder(folder)
        self._added = Segment(self._next_name(), 0)
        self._stream: BinaryIO = storage.create(folder / self._added.vectors_file)
        self._stream.write(_header(dimension, 0))

    def add(self, vectors: Vectors) -> None:
        """Adds the next rows: (n, dim), each of L2 norm 1."""
        if vectors.shape[1] != self._dimension:
            raise ValueError(f"vectors of {vectors.shape[1]} dimensions, not of {self._dimension}")
        self._stream.write(vectors.astype(np.float16).tobytes())
        self._added = replace(self._added, passages=self._added.passages + len(vectors))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            storage.abandon(self._stream)
            return
        self._stream.seek(0)
        self._stream.write(_header(self._dimension, self._added.passages))
        self._stream.close()
        self._finish()

    def _finish(self) -> None:
        if self._added.passages:
            kept = _kept([one.passages for one in self._segments], self._added.passages)
            merged = [*self._segments[kept:], self._added]
            segment = self._merge(merged) if len(merged) > 1 else self._added
            if segment.passages > self._exact_up_to:
                segment = _learn(self._folder, segment, self._dimension)
            self._segments = [*self._segments[:kept], segment]
        else:
            storage.remove(self._folder / self._added.vectors_file)
        stored = {"dimension": self._dimension, "segments": [asdict(one) for one in self._segments]}
        path = self._folder / _LIST
        storage.remove(path)  # the file may be another index's as well
        storage.write(path, (json.dumps(stored, indent=1) + "\n").encode())

    def _merge(self, segments: list[Segment]) -> Segment:
        """One segment of several, whose files leave the folder."""
        merged = Segment(self._next_name(), sum(one.passages for one in segments))
        with storage.create(self._folder / merged.vectors_file) as target:
            target.write(_header(self._dimension, merged.passages))
            for one in segments:
                with (self._folder / one.vectors_file).open("rb") as source:
                    source.seek(len(_header(self._dimension, one.passages)))
                    shutil.copyfileobj(source, target, 1 << 20)
        for one in segments:
            storage.remove(self._folder / one.vectors_file)
            storage.remove(self._folder / one.lists_file)
        return merged

    def _next_name(self) -> str:
        names = [int(path.stem) for path in self._folder.glob("*.vectors")]
        return f"{max(names, default=0) + 1:06}"


class _Opened:
    """A segment's files, mapped."""

    def __init__(self, folder: Path, segment: Segment, dimension: int) -> None:
        path = folder / segment.vectors_file
        header = _header(dimension, segment.passages)
        width = 2 * dimension
        with _refused(path):
            with path.open("rb") as stream:
                found = stream.read(len(header))
            if found != header or path.stat().st_size != len(header) + segment.passages * width:
                raise ValueError
            self._scan: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
            with path.open("rb") as stream:
                mapped = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ)
            if segment.lists:
                mapped.madvise(mmap.MADV_RANDOM)  # or each row that is scored would read its neighbours
            self._codes: Codes = np.frombuffer(mapped, np.uint8, offset=len(header)).reshape(-1, width)
        self._lists: Any = _open_lists(folder / segment.lists_file, segment, dimension)
        self._dimension = dimension
        self.segment = segment

    def __len__(self) -> int:
        return self.segment.passages

    def vectors(self, rows: Rows) -> Vectors:
        stored = np.take(self._codes, rows, axis=0)
        return stored.view(np.float16).astype(np.float32)

    def search(self, vector: Vector, k: int, allowed: Mask | None) -> tuple[Rows, Scores]:
        count = len(self) if allowed is None else int(np.count_nonzero(allowed))
        k = min(k, count)
        if k <= 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        # For this thread alone. A scan of FAISS's gathers its threads even for one question, and waits
        # 15 ms for one that another process has put off its core.
        faiss.omp_set_num_threads(1)
        if allowed is not None and count <= _FEW_ALLOWED:
            return self._best_of(np.flatnonzero(allowed), vector, k)
        bitmap = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bitmap is None else faiss.IDSelectorBitmap(len(self), faiss.swig_ptr(bitmap))
        if self._lists is None:
            parameters: Any = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            scores, rows = self._scan.search(vector[np.newaxis], k, params=parameters)
            return rows[0], scores[0]
        wanted = max(k, _DEEPEST)
        probes = self.segment.probes * (wanted / _DEEPEST) ** 0.5
        depth = self.segment.depth * wanted
        if allowed is not None:
            probes *= (len(self) / count) ** _FILTERED_LISTS
            depth *= _FILTERED_DEPTH
        while True:
            parameters = faiss.IVFRaBitQSearchParameters(  # type: ignore[call-arg]
                nprobe=min(self.segment.lists, int(probes)), sel=selector
            )
            _, rows = self._lists.search(vector[np.newaxis], min(depth, count), params=parameters)
            found = rows[0][rows[0] >= 0]
            if len(found) >= k or probes >= self.segment.lists:
                return self._best_of(np.sort(found), vector, k)
            probes *= 4

    def _best_of(self, rows: Rows, vector: Vector, k: int) -> tuple[Rows, Scores]:
        """The best of some rows by their own vectors. FAISS scores a vector the same wherever it lies, so
        that equal vectors have equal scores; a product of matrices does not."""
        few = _storage(self._dimension)
        few.add_sa_codes(np.take(self._codes, rows, axis=0))
        scores, places = few.search(vector[np.newaxis], k)
        return rows[places[0]], scores[0]

    def with_effort(self, share: float, depth: int) -> None:
        self.segment = replace(self.segment, probes=max(1, round(self.segment.lists * share)), depth=depth)

    def measure(self, recall: dict[int, float], questions: int) -> None:
        self.segment = replace(
            self.segment, recall_10=recall[10], recall_100=recall[100], questions=questions
        )


class _refused:  # noqa: N801  reads as a statement
    """Whatever fails inside is a damaged file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # RuntimeError is what FAISS raises.
        if isinstance(error, OSError | ValueError | TypeError | KeyError | RuntimeError):
            raise DamagedError(f"{self._path}: {_NO_INDEX}") from error


def _read(folder: Path) -> tuple[int, list[Segment]]:
    """The dimension and the segments of an index."""
    path = folder / _LIST
    with _refused(path):
        stored = json.loads(path.read_text(encoding="utf-8"))
        segments = [Segment(**one) for one in stored["segments"]]
        for one in segments:
            counts = (one.passages, one.lists, one.probes, one.depth)
            if not one.name.isdecimal() or not all(type(count) is int for count in counts):
                raise ValueError
            if one.passages < 1 or (one.lists and not 1 <= one.probes <= one.lists):
                raise ValueError
        return int(stored["dimension"]), segments


def _storage(dimension: int) -> Any:  # noqa: ANN401  FAISS has few types
    return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)


def _header(dimension: int, passages: int) -> bytes:
    """What a file of vectors begins with: FAISS's own words for that many, whose bytes follow."""
    empty = bytes(faiss.serialize_index(_storage(dimension)))
    count, size = (number.to_bytes(8, "little") for number in (passages, passages * 2 * dimension))
    return empty[:8] + count + empty[16:-8] + size


def _lists_index(centroids: Vectors) -> Any:  # noqa: ANN401  likewise
    lists, dimension = centroids.shape
    quantizer: Any = faiss.IndexFlatIP(dimension)
    quantizer.add(centroids)
    index: Any = faiss.IndexIVFRaBitQ(quantizer, dimension, lists, faiss.METRIC_INNER_PRODUCT)
    quantizer.this.disown()
    index.own_fields = True
    return index


def _open_lists(path: Path, segment: Segment, dimension: int) -> Any:  # noqa: ANN401  likewise
    """Maps a segment's lists; None where it has none.

    read_index builds whatever types a file names, and maps less than it is told of, so both are looked at
    first, where they stand in a file of ours: the index, the index of its centroids, the lists, the size.
    """
    if not segment.lists:
        return None
    with _refused(path):
        empty = _lists_index(np.zeros((1, dimension), np.float32))
        sample = bytes(faiss.serialize_index(empty))
        centroids = sample.index(b"IxFI")
        lists = sample.index(b"ilar") + (segment.lists - 1) * dimension * 4
        with path.open("rb") as stream:
            for at, name in ((0, sample[:4]), (centroids, b"IxFI"), (lists, b"ilar")):
                stream.seek(at)
                if stream.read(len(name)) != name:
                    raise ValueError
            # Lists, bytes of a code, how the lists' sizes are written, how many numbers that takes.
            counts = stream.read(28)
            end = stream.tell() + 8 * int.from_bytes(counts[20:], "little")
        if path.stat().st_size != end + segment.passages * (empty.code_size + 8):
            raise ValueError
        index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        if (index.d, index.ntotal, index.nlist) != (dimension, segment.passages, segment.lists):
            raise ValueError
        return index


def _kept(sizes: list[int], added: int) -> int:
    """How many of the segments stay as they are where so many passages are added: the others are merged
    with these. A tail is merged as long as that makes it half as large again."""
    if added + sum(sizes[1:]) > _REST_MAY_BE * sum(sizes[:1]):
        return 0
    kept = len(sizes)
    while kept > 1 and sizes[kept - 1] < 2 * added:
        kept -= 1
        added += sizes[kept]
    return kept


def _learn(folder: Path, segment: Segment, dimension: int) -> Segment:
    """Writes a segment's lists, and finds the effort that searching them takes.

    Questions are made of vectors: q = p + b - c of three random passages, brought to norm 1, and p itself
    is not looked for. That lies a little farther from passages than real questions do (the best at .59, not
    .66, of a million). With 1/64 of the lists of a million they have a recall@10 of .995 (recall@100 .976);
    real questions have .999 (.99) over news, and .975 (.97) the claims of SciFact.
    """
    opened = _Opened(folder, segment, dimension)
    random = np.random.default_rng(segment.passages)
    lists = round(_LISTS_BY_ROOT * segment.passages**0.5)
    # Whoever searched before has one thread left; here all cores are wanted.
    faiss.omp_set_num_threads(cores())
    with threadpool_limits(limits=cores(), user_api="blas"):
        index = _lists_index(_centroids(opened, lists, random))
        index.train(np.zeros((1, dimension), np.float32))  # the codes need none; it says so in its state
        for start in range(0, segment.passages, _BATCH):
            index.add(opened.vectors(np.arange(start, min(start + _BATCH, segment.passages))))
        with storage.written_by("FAISS", folder / segment.lists_file, RuntimeError):
            faiss.write_index(index, str(folder / segment.lists_file))
        del index
        opened = _Opened(folder, replace(segment, lists=lists, probes=1), dimension)
        asked, own = _questions(opened, random)
        truth = _nearest(opened, asked)
    for share, depth in _EFFORTS:
        opened.with_effort(share, depth)
        found = [opened.search(one, _DEEPEST + 1, None)[0] for one in asked]
        recall = {k: _recall(found, truth, own, k) for k in _RECALL}
        if all(recall[k] >= least for k, least in _RECALL.items()):
            break
    opened.measure(recall, len(asked))
    return opened.segment


def _centroids(opened: _Opened, lists: int, random: np.random.Generator) -> Vectors:
    count = min(len(opened), lists * _LEARNT_FROM_A_LIST, _MOST_LEARNT_FROM)
    sample = opened.vectors(np.sort(random.choice(len(opened), count, replace=False)))
    clustering = faiss.Clustering(sample.shape[1], lists)
    clustering.niter = _TURNS
    clustering.spherical = True
    clustering.min_points_per_centroid = 1  # it is not to warn on standard error
    clustering.max_points_per_centroid = _LEARNT_FROM_A_LIST
    quantizer = faiss.IndexFlatIP(sample.shape[1])
    clustering.train(sample, quantizer)
    centroids: Vectors = quantizer.reconstruct_n(0, lists)
    return centroids


def _questions(opened: _Opened, random: np.random.Generator) -> tuple[Vectors, Rows]:
    """Made questions, (n, dim), and the rows that they were made of."""
    count = min(_QUESTIONS, len(opened))
    own, plus, minus = (random.choice(len(opened), count, replace=False) for _ in range(3))
    asked = opened.vectors(own) + opened.vectors(plus) - opened.vectors(minus)
    asked /= np.maximum(np.linalg.norm(asked, axis=1, keepdims=True), np.float32(1e-9))
    return asked, own


def _nearest(opened: _Opened, asked: Vectors) -> list[Rows]:
    """By looking at every vector: for each question one row more than recall is measured of."""
    scores = np.empty((len(asked), 0), np.float32)
    rows = np.empty((len(asked), 0), np.int64)
    for start in range(0, len(opened), _BATCH):
        stored = opened.vectors(np.arange(start, min(start + _BATCH, len(opened))))
        best, found = faiss.knn(asked, stored, min(_DEEPEST + 1, len(stored)), faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([scores, best]), np.hstack([rows, found + start])
        order = np.argsort(-scores, axis=1, kind="stable")[:, : _DEEPEST + 1]
        scores, rows = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    return list(rows)


def _recall(found: list[Rows], truth: list[Rows], own: Rows, k: int) -> float:
    """The mean share of the true first k that are among those found, but for each question's own row."""
    shares = []
    for some, true, row in zip(found, truth, own.tolist(), strict=True):
        wanted = true[true != row][:k]
        shares.append(np.isin(wanted, some[some != row][:k]).sum() / max(1, len(wanted)))
    return round(float(np.mean(shares)), 4)
