"""What can go wrong, drawn as a tree: every message says what, where and the remedy.

DatelineError            exit 1
├── UsageError           exit 2   an argument or a setting makes no sense
├── SourceError          exit 1   articles cannot be read
├── EncoderError         exit 1   the model cannot be loaded or exported
├── NotFoundError        exit 1   what is asked for by name is not there
├── ArchiveError         exit 1   a file is no archive of an index, or a damaged one
├── ClusterError         exit 1   the machines that encode cannot be reached, or fail
├── LockedError          exit 1   another process is writing the index
├── StorageError         exit 1   the index cannot be written: disk full, failing, not ours
├── UnreachableError     exit 1   what keeps the index beyond this machine does not answer
└── NoIndexError         exit 3   there is nothing to serve
    └── DamagedError     exit 3   a generation is not what its manifest says
"""

from typing import ClassVar


class DatelineError(Exception):
    """An error that the user can act on; anything else is a bug and may crash."""

    exit_code: ClassVar[int] = 1


class UsageError(DatelineError):
    """An argument or a setting that makes no sense; `param` names it."""

    exit_code = 2

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class SourceError(DatelineError):
    """Articles cannot be read from where the user pointed."""


class EncoderError(DatelineError):
    """The encoder cannot be found, loaded or exported."""


class NotFoundError(DatelineError):
    """What is asked for by name is not there; `param` says what it is."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


class ArchiveError(DatelineError):
    """A file is no archive of an index, or a damaged one."""


class ClusterError(DatelineError):
    """The machines that were to encode cannot be reached, or fail."""


class LockedError(DatelineError):
    """Another process is writing the index."""


class StorageError(DatelineError):
    """The index cannot be written: the disk is full, or fails, or may not be written to."""


class UnreachableError(DatelineError):
    """What keeps the index beyond this machine does not answer, or not yet: the same may go well soon."""


class NoIndexError(DatelineError):
    """The index folder holds no generation that could be served."""

    exit_code = 3


class DamagedError(NoIndexError):
    """A generation's files are not those that its manifest names."""
