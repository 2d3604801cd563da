"""The only door to FAISS: which passages lie nearest to a question's vector."""

from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from indexer.errors import DamagedError
from indexer.models import Mask, Rows, Scores, Vectors

# read_index builds whatever type a file names; only what `write` produces is let through.
_EXACT_INNER_PRODUCT = b"IxFI"


class VectorWriter:
    """Stand-in until the real one is merged."""

    def __init__(self, folder: Path, dimension: int) -> None:
        self._path = folder / "flat.faiss"
        folder.mkdir(exist_ok=True)
        self._index = (
            faiss.read_index(str(self._path)) if self._path.exists() else faiss.IndexFlatIP(dimension)
        )

    def add(self, vectors: Vectors) -> None:
        self._index.add(np.ascontiguousarray(vectors))

    def __enter__(self) -> "VectorWriter":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._path.unlink(missing_ok=True)
        faiss.write_index(self._index, str(self._path))


class VectorIndex:
    """Exact search by inner product over unit vectors; row r is passage r."""

    def __init__(self, index: faiss.IndexFlatIP) -> None:
        self._index = index
        self.facts = {"kind": "exact"}

    @classmethod
    def open(cls, path: Path) -> "VectorIndex":
        """Maps the file; raises DamagedError where it is not of the type that `write` makes."""
        path = path / "flat.faiss"
        with path.open("rb") as stream:
            kind = stream.read(len(_EXACT_INNER_PRODUCT))
        if kind != _EXACT_INNER_PRODUCT:
            raise DamagedError(f"{path}: is no vector index of this version; run: dateline index build")
        index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
        return cls(index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        return int(self._index.d)

    def search(
        self, vector: npt.NDArray[np.float32], k: int, allowed: Mask | None = None
    ) -> tuple[Rows, Scores]:
        """The k best rows by cosine, best first; fewer where fewer are allowed.

        `vector`: (dim,) unit. `allowed`: (n,) bool; what it excludes takes no place in the k.
        """
        parameters: Any = None
        if allowed is not None:
            bitmap = np.packbits(allowed, bitorder="little")
            selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bitmap))
            parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
            k = min(k, int(allowed.sum()))
        k = min(k, len(self))
        if k == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores, rows = self._index.search(vector[np.newaxis], k, params=parameters)
        # FAISS puts equal scores in an order that changes with k; pages must not.
        order = np.lexsort((rows[0], -scores[0]))
        return rows[0][order], scores[0][order]

    def vectors(self, rows: Rows) -> Vectors:
        """The stored vectors, (len(rows), dim)."""
        found: Vectors = self._index.reconstruct_batch(rows)
        return found
