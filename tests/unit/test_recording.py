"""What is counted: by each worker in its own row, read as one; bounded, whatever comes."""

import os
from threading import Thread

import pytest

from service.watching.recording import BUCKETS, COUNTS, STAGES, TIMES_KEPT, Own, Recorder, Serving, quantile

ASK = "POST /v1/answer"


def _forked(recorder: Recorder, place: int, *notes: tuple[str, int | None, float]) -> None:
    """Has a process of its own note something, as a worker does, and end."""
    child = os.fork()
    if not child:
        recorder.work_as(place)
        for note in notes:
            recorder.note(*note)
        os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_what_every_worker_counted_is_read_as_one_and_outlives_the_worker() -> None:
    recorder = Recorder(workers=3)
    recorder.name_routes([ASK])
    _forked(recorder, 1, (ASK, 200, 20.0), (ASK, 404, 1.0))
    _forked(recorder, 2, (ASK, 200, 40.0), (ASK, None, 5.0))
    _forked(recorder, 1, (ASK, 500, 60.0))  # its successor
    record = recorder.routes()[ASK]
    assert record.by_status == {"2xx": 2, "3xx": 0, "4xx": 1, "5xx": 1, "left": 1}
    assert record.requests == 5
    assert sorted(record.took_ms) == [1.0, 20.0, 40.0, 60.0]
    assert sum(record.timing.counts) == 4
    assert record.timing.seconds == pytest.approx(0.121)
    assert recorder.last_server_error_at is not None


def test_threads_lose_no_count() -> None:
    recorder = Recorder()
    recorder.name_routes([ASK])

    def work() -> None:
        for _ in range(2_000):
            recorder.note(ASK, 200, 1.0)
            recorder.time("encode", 0.001)
            recorder.count("degraded")

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.routes()[ASK].requests == 8_000
    assert sum(recorder.stages()["encode"].counts) == 8_000
    assert recorder.counted("degraded") == 8_000


def test_a_time_is_counted_by_the_least_bound_that_it_does_not_exceed() -> None:
    recorder = Recorder()
    for seconds in (0.0, BUCKETS[0], BUCKETS[0] * 1.01, BUCKETS[-1], BUCKETS[-1] + 1):
        recorder.time("llm", seconds)
    counts = recorder.stages()["llm"].counts
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (2, 1, 1, 1)
    assert {name for name, timing in recorder.stages().items() if sum(timing.counts)} == {"llm"}


def test_only_the_last_times_are_kept_and_a_name_that_is_none_of_ours_takes_no_room() -> None:
    recorder = Recorder()
    recorder.name_routes([ASK])
    for number in range(TIMES_KEPT + 7):
        recorder.note(ASK, 200, float(number))
        recorder.note(f"GET /made-up/{number}", 404, 1.0)
    routes = recorder.routes()
    assert set(routes) == {ASK, "elsewhere"}
    assert sorted(routes[ASK].took_ms) == [float(number) for number in range(7, TIMES_KEPT + 7)]
    assert routes["elsewhere"].requests == TIMES_KEPT + 7
    with pytest.raises(ValueError, match="room"):
        recorder.name_routes(f"GET /{number}" for number in range(1000))


def test_how_a_worker_is_stands_beside_the_others_and_goes_with_it() -> None:
    recorder = Recorder(workers=2, collections=("default", "archive"))
    served = Serving.of(
        "000012-0bc0ffee", "2026-11-25T03:00:00+00:00", {"articles": 3, "passages": 9}, fallback=True
    )
    assert served.generation == "000012-0bc0ffee"
    recorder.work_as(1)
    recorder.observe(Own(1, 2, 3, 4), {"archive": served})
    assert recorder.observed() == [
        (Own(), {"default": Serving(), "archive": Serving()}),
        (Own(1, 2, 3, 4), {"default": Serving(), "archive": served}),
    ]
    recorder.work_as(1)
    assert recorder.observed()[1][0] == Own()


def test_every_name_can_be_counted() -> None:
    recorder = Recorder()
    for name in COUNTS:
        recorder.count(name)
    for name in STAGES:
        recorder.time(name, 0.1)
    assert all(recorder.counted(name) == 1 for name in COUNTS)
    assert all(timing.seconds == pytest.approx(0.1) for timing in recorder.stages().values())


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.95) == 3.0
