"""Files as they lie on disk, to the bytes that they hold: unpacked where they are packed, and bounded."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable
from typing import BinaryIO, cast

from indexer.sources.document import NoArticleError

LARGEST = 16 << 20  # bytes of a single article, unpacked
_MOST_RATIO = 250  # unpacked to packed; gzip itself reaches 1,030 on zeros, news 3 to 20
_UNSUSPECTED = LARGEST  # bytes that may be unpacked at any ratio
_SNIFFED = 1 << 16

_ARCHIVES = ((b"PK\x03\x04", "ZIP"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "RAR"))


def _zstd(stream: BinaryIO) -> BinaryIO:
    import pyarrow as pa  # noqa: PLC0415  loads long, and few files need it

    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(stream), "zstd"))


_PACKED: tuple[tuple[bytes, Callable[[BinaryIO], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda stream: cast(BinaryIO, gzip.GzipFile(fileobj=stream))),
    (b"BZh", lambda stream: cast(BinaryIO, bz2.BZ2File(stream))),
    (b"\xfd7zXZ\0", lambda stream: cast(BinaryIO, lzma.LZMAFile(stream))),  # noqa: SIM115  the caller's
    (b"\x28\xb5\x2f\xfd", _zstd),
)


class _Bounded(io.RawIOBase):
    """Unpacked bytes, until they are too many for what they came from or the packing is damaged."""

    def __init__(self, unpacked: BinaryIO, packed: BinaryIO) -> None:
        self._unpacked = unpacked
        self._packed = packed
        self._read = 0
        self._damage: NoArticleError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        filled = 0
        # What could be unpacked before the damage is still handed out.
        while filled < len(view) and not self._damage:
            try:
                content = self._unpacked.read1(len(view) - filled)  # type: ignore[attr-defined]
            except (EOFError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
                where = f"beyond {self._read:,} bytes"
                self._damage = NoArticleError(f"is damaged: it cannot be unpacked {where} ({error})")
                break
            if not content:
                break
            view[filled : filled + len(content)] = content
            filled += len(content)
            self._read += len(content)
            if self._read > _UNSUSPECTED and self._read > _MOST_RATIO * max(1, self._packed.tell()):
                self._damage = NoArticleError(
                    f"unpacks to more than {_MOST_RATIO} times its size, which no articles do"
                )
        if self._damage and not filled:
            raise self._damage
        return filled


def unpacked(stream: BinaryIO) -> io.BufferedReader:
    """The bytes that a file holds: gzip, bzip2, xz and zstd are unpacked as they are read.

    Reading raises NoArticleError where the packing is damaged or a bomb, and this does for an archive of
    several files. The first 64 KiB can be had by `peek`.
    """
    start = stream.read(8)
    stream.seek(0)
    for magic, name in _ARCHIVES:
        if start.startswith(magic):
            raise NoArticleError(f"is a {name} archive: unpack it first")
    for magic, opened in _PACKED:
        if start.startswith(magic):
            return io.BufferedReader(_Bounded(opened(stream), stream), _SNIFFED)
    return io.BufferedReader(cast(io.RawIOBase, stream), _SNIFFED)


def whole(stream: BinaryIO) -> bytes:
    """The rest of a stream that holds one article. Raises NoArticleError where it is too much for one."""
    content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise NoArticleError(f"holds more than {LARGEST >> 20} MiB, which no single article is; split it")
    return content
