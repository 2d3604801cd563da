"""How far a build is, how fast, and how long it will still take."""

import io

import pytest
from rich.console import Console

from indexer import progress
from indexer.progress import Live, Plain


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_stage_of_known_length_tells_rate_share_and_time_left(clock: Clock) -> None:
    said = io.StringIO()
    plain = Plain(said)
    plain.stage("vectors", 400)
    clock.now += 10
    plain.advance(100)
    assert said.getvalue() == "encoding passages: 100/400, 10/s, 25%, 30 s left (10.0 s)\n"


def test_a_stage_of_unknown_length_tells_the_share_of_the_input_that_is_read(clock: Clock) -> None:
    said = io.StringIO()
    plain = Plain(said)
    plain.stage("articles")
    clock.now += 8
    plain.advance(16, share=0.8)
    assert said.getvalue() == "reading articles: 16, 2/s, 80%, 2 s left (8.0 s)\n"
    clock.now += 6
    plain.advance(1)
    assert said.getvalue().splitlines()[1] == "reading articles: 17, 1/s (14.0 s)"


def test_steps_in_quick_succession_are_one_line_and_a_stage_ends_with_its_time(clock: Clock) -> None:
    said = io.StringIO()
    plain = Plain(said)
    plain.stage("passages", 3)
    for _ in range(3):
        clock.now += 1
        plain.advance()
    plain.stage("commit")
    plain.close()
    assert said.getvalue().splitlines() == [
        "cutting passages: 3/3, 1/s (3.0 s)",
        "writing the generation (0.0 s)",
    ]


def test_a_terminal_shows_every_stage_and_warning() -> None:
    said = io.StringIO()
    live = Live(Console(file=said, force_terminal=True, width=120))
    live.stage("articles")
    live.advance(5, share=0.5)
    live.warn("skipped [a.txt]: has no text")
    live.stage("vectors", 10)
    live.advance(10)
    live.close()
    shown = said.getvalue()
    for words in ("reading articles", "encoding passages", "10/10", "warning: skipped [a.txt]: has no text"):
        assert words in shown
