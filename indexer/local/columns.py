"""What is asked of very many passages at once, as arrays: whose they are, of which day, source and author."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from indexer import storage
from indexer.errors import DamagedError
from indexer.local.corpus import Filed
from indexer.models import Filters, Mask

Numbers = npt.NDArray[np.int32]

_NONE = -1  # of an article, story or name that there is not
_UNDATED = 0  # the ordinal of no day
_COLUMNS = ("article", "story", "day", "source", "author")
_NAMES = "names.json"


class Columns:
    """Maps a folder that `write` filled: five numbers a passage, 20 bytes. Row r is passage r."""

    def __init__(self, folder: Path) -> None:
        """Raises DamagedError where the folder holds something else."""
        try:
            # Plain arrays of what is mapped: numpy's own class for it makes every look slower.
            columns = {
                name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
                for name in _COLUMNS
            }
            names = json.loads((folder / _NAMES).read_bytes())
            self._codes = {field: {name: at for at, name in enumerate(names[field])} for field in names}
            if {(column.dtype, len(column)) for column in columns.values()} != {
                (np.dtype(np.int32), len(columns["article"]))
            }:
                raise ValueError("columns differ in kind or length")
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise DamagedError(
                f"{folder}: holds no columns of this version; run: dateline index build"
            ) from error
        self._article: Numbers = columns["article"]
        self._story: Numbers = columns["story"]
        self._day: Numbers = columns["day"]
        self._named = {"source": columns["source"], "author": columns["author"]}
        live: Mask = self._article != _NONE
        self._live = None if live.all() else live

    @staticmethod
    def write(folder: Path, articles: Iterable[Filed], rows: int) -> None:
        """`articles`: every article of the collection; `rows`: of passages, those of no article included."""
        columns = {name: np.full(rows, _NONE, np.int32) for name in _COLUMNS}
        codes: dict[str, dict[str, int]] = {"source": {}, "author": {}}
        for one in articles:
            its = slice(one.first_passage, one.first_passage + one.passages)
            columns["article"][its] = one.row
            columns["story"][its] = _NONE if one.story is None else one.story
            columns["day"][its] = date.fromisoformat(one.day).toordinal() if one.day else _UNDATED
            for field, name in (("source", one.source), ("author", one.author)):
                if name is not None:
                    columns[field][its] = codes[field].setdefault(name, len(codes[field]))
        storage.make_folder(folder)
        for name, column in columns.items():
            storage.write_array(folder / f"{name}.npy", column)
        names = {field: list(known) for field, known in codes.items()}
        storage.write(folder / _NAMES, json.dumps(names, ensure_ascii=False).encode())

    def __len__(self) -> int:
        """Rows, those of passages that are gone included."""
        return len(self._article)

    def allowed(self, filters: Filters) -> Mask | None:
        """Which passages are there and pass the filters, (rows,) bool; None where all do."""
        passing = [] if self._live is None else [self._live]
        if filters.published_after or filters.published_before:
            passing.append(self._day >= (filters.published_after or date.min).toordinal())
        if filters.published_before:
            passing.append(self._day <= filters.published_before.toordinal())
        for field, wanted in (("source", filters.sources), ("author", filters.authors)):
            if wanted:
                known = self._codes[field]
                passing.append(_among(self._named[field], [known[name] for name in wanted if name in known]))
        return np.logical_and.reduce(passing) if passing else None

    def hold(self, filters: Filters) -> bool:
        """Whether any passage passes."""
        mask = self.allowed(filters)
        return len(self) > 0 if mask is None else bool(mask.any())

    def articles_of(self, rows: Sequence[int]) -> list[tuple[int, int | None]]:
        """The article that each passage belongs to, and its story where that has several copies: as
        numbers that mean nothing else."""
        asked = np.fromiter(rows, np.int64, len(rows))
        return [
            (article, None if story == _NONE else story)
            for article, story in zip(self._article[asked].tolist(), self._story[asked].tolist(), strict=True)
        ]

    def days_of(self, rows: Sequence[int]) -> dict[int, date]:
        """The day of publication of each passage's article, by row; undated ones are left out."""
        days = self._day[np.fromiter(rows, np.int64, len(rows))].tolist()
        return {row: date.fromordinal(day) for row, day in zip(rows, days, strict=True) if day != _UNDATED}


def _among(column: Numbers, codes: list[int]) -> Mask:
    """Where a column has one of some codes."""
    found: Mask = np.zeros(len(column), np.bool_)
    for code in codes:
        found |= column == code
    return found
