"""Promises under torture (docs/operations.md): a few tries of each by default, all of them by `make torture`.

Each test tells how many tries it made and what came of them; the summary of the run lists that.
"""

from collections.abc import Callable
from typing import Protocol

import pytest

_TOLD = "torture"


class Tries(Protocol):
    def __call__(self, few: int, *, of: int) -> int:
        """How many tries to make: `few` of them by default, all with --all-tries."""


@pytest.fixture(scope="session")
def tries(request: pytest.FixtureRequest) -> Tries:
    every = request.config.getoption("--all-tries")

    def chosen(few: int, *, of: int) -> int:
        return of if every else few

    return chosen


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Adds a line to the summary, such as "200 builds killed: 112 left the old generation, 88 the new"."""
    return lambda line: record_property(_TOLD, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    told = [(one.nodeid, line) for one in reports for name, line in one.user_properties if name == _TOLD]
    if told:
        terminalreporter.section("torture")
    for test, line in told:
        terminalreporter.write_line(f"{test.rpartition('::')[2]}: {line}")
