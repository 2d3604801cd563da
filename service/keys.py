"""Keys: who may ask for what. Their file holds the SHA-256 of each, never a key.

A key is 256 bits by the system's generator, so one round of SHA-256 is enough: there is nothing to guess
that a slow hash would have to protect.
"""

import fcntl
import hashlib
import hmac
import io
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from indexer.errors import NotFoundError, UsageError
from service.listening import is_local
from service.settings import Settings

if TYPE_CHECKING:
    from limits.strategies import MovingWindowRateLimiter

log = logging.getLogger(__name__)

Scope = Literal["search", "chat", "admin"]

_MARK = "dateline_"  # by which scanners of leaked secrets, and `Redacted`, know one
_BYTES = 32
_SECRETS = re.compile(rf"{_MARK}[\w-]{{20,}}|(?i:(?<=bearer )[^\s\"']+)")
_Signature = tuple[int, int, int]
_LOST: _Signature = (0, 0, 0)  # of a file that was there and is not


def _rate(text: str) -> str:
    from limits import parse  # noqa: PLC0415  60 ms, which services without limits need not spend

    try:
        parse(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no limit, such as 60/minute or 1000/day") from error
    return text


class Key(BaseModel):
    """What is kept of a key. `limit` is so many requests in a time, such as "60/minute"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    limit: Annotated[str, AfterValidator(_rate)] | None = None

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class _Contents(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    keys: tuple[Key, ...] = ()


class KeyFile:
    """The file, which is replaced as a whole by every change: whoever reads it finds the old or the new."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Key, ...]:
        """Raises FileNotFoundError where there is none, UsageError where it cannot be read as keys."""
        try:
            return _Contents.model_validate_json(self.path.read_bytes()).keys
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be read ({error.strerror})") from error
        except ValidationError as error:  # whose own words would show what stands there
            place = ".".join(map(str, error.errors(include_input=False)[0]["loc"])) or "the whole"
            raise UsageError(
                f"{self.path}: holds no keys ({place} makes no sense); mend it, or remove it and run: "
                "dateline keys add NAME"
            ) from error

    def listed(self) -> tuple[Key, ...]:
        """Those that there are; none where there is no file yet. Raises UsageError as above."""
        try:
            return self.read()
        except FileNotFoundError:
            return ()

    def add(
        self, name: str, scopes: Sequence[str], *, days: int | None = None, limit: str | None = None
    ) -> str:
        """A new key, told this once. Raises UsageError for what makes no sense or is there already."""
        secret = _MARK + secrets.token_urlsafe(_BYTES)
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            key = Key.model_validate(
                {
                    "name": name,
                    "sha256": _digest(secret),
                    "scopes": list(dict.fromkeys(scopes)),
                    "created_at": now,
                    "expires_at": None if days is None else now + timedelta(days=days),
                    "limit": limit,
                }
            )
        except ValidationError as error:
            problem = error.errors(include_input=False)[0]
            message = problem["msg"].removeprefix("Value error, ")
            raise UsageError(f"{problem['loc'][0]}: {message}", param=str(problem["loc"][0])) from error
        with self._changing():
            there = self.listed()
            if any(one.name == name for one in there):
                raise UsageError(f"there is a key {name!r} already; choose another name, or revoke it first")
            self._replace((*there, key))
        return secret

    def revoke(self, name: str) -> None:
        """Takes a key away. Raises NotFoundError where there is none of this name."""
        with self._changing():
            there = self.listed()
            if all(one.name != name for one in there):
                raise NotFoundError(f"there is no key {name!r}; run: dateline keys list", "name")
            self._replace([one for one in there if one.name != name])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One at a time, by a lock on the folder, which ends with the process and leaves no file."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UsageError(f"{self.path.parent}: no folder for keys ({error.strerror})") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
            os.fsync(folder)
        finally:
            os.close(folder)

    def _replace(self, keys: Sequence[Key]) -> None:
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)
        contents = _Contents(keys=tuple(keys)).model_dump_json(indent=2, exclude_none=True) + "\n"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(contents)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self.path)


class Keys:
    """The keys in force, read anew when their file is another; each process counts its own requests.

    They are asked for where the file exists or is named outright. Once seen, a file that goes away lets
    nobody in: what was closed is not opened by a loss. To be made before the workers are forked, since one
    that takes another's place has to know of a file that is gone.
    """

    def __init__(self, settings: Settings) -> None:
        self._file = KeyFile(settings.keys)
        self._named = "keys" in settings.model_fields_set
        self._seen: _Signature | None = None
        self._keys: tuple[Key, ...] = ()
        self._lost = False
        self._window: MovingWindowRateLimiter | None = None
        self._refresh()  # else one that goes away before the first request would never have been seen

    @property
    def on(self) -> bool:
        """Whether a key is asked for."""
        self._refresh()
        return self._named or self._seen is not None

    @property
    def lost(self) -> bool:
        """Whether the file that was there cannot be read any more."""
        self._refresh()
        return self._lost

    def holder(self, secret: str) -> Key | None:
        """The key that this is, unless it is expired; every one is compared, each in constant time."""
        self._refresh()
        found = None
        digest = _digest(secret)
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return None if found is None or found.expired else found

    def wait_s(self, key: Key) -> int:
        """Counts a request, of those in a moving window. Returns 0, or the seconds until this key may ask
        again."""
        if key.limit is None:
            return 0
        from limits import parse  # noqa: PLC0415  as above
        from limits.storage import MemoryStorage  # noqa: PLC0415
        from limits.strategies import MovingWindowRateLimiter  # noqa: PLC0415

        if self._window is None:
            self._window = MovingWindowRateLimiter(MemoryStorage())
        rate = parse(key.limit)
        if self._window.hit(rate, key.sha256):
            return 0
        return max(1, math.ceil(self._window.get_window_stats(rate, key.sha256).reset_time - time.time()))

    def _refresh(self) -> None:
        signature, trouble = _LOST, ""
        keys: tuple[Key, ...] = ()
        try:
            now = self._file.path.stat()
            signature = (now.st_ino, now.st_ctime_ns, now.st_size)
            if signature == self._seen:
                return
            keys = self._file.read()
        except FileNotFoundError:
            if self._seen is None:
                return
            signature, trouble = _LOST, f"{self._file.path}: is gone"
        except OSError as error:
            trouble = f"{self._file.path}: cannot be read ({error.strerror})"
        except UsageError as error:
            trouble = str(error)
        if signature == self._seen:
            return
        self._seen, self._keys, self._lost = signature, keys, bool(trouble)
        if trouble:
            log.error("%s; nobody is let in", trouble)
        else:
            log.info("keys: %s", ", ".join(key.name for key in keys) or "none, so nobody is let in")


def check_reach(settings: Settings) -> None:
    """Raises UsageError where others could ask without a key and nobody said that they may, and where
    keys are asked for that cannot be read."""
    file = KeyFile(settings.keys)
    try:
        file.read()
    except FileNotFoundError as error:
        if "keys" in settings.model_fields_set:
            raise UsageError(f"{file.path}: is not there; run: dateline keys add NAME") from error
        if not settings.open and not is_local(settings.host):
            raise UsageError(
                f"{settings.host}: others can reach this address, and no key is asked for; run: dateline "
                "keys add NAME, or to serve whoever reaches it: --open"
            ) from error


class Redacted(io.TextIOBase):
    """A stream that passes on to another what is written, but no key, whoever put it into a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(_SECRETS.sub("[key]", text))

    def flush(self) -> None:
        self._stream.flush()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
