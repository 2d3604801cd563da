"""The figures as Prometheus reads them, made of what the Recorder counted when they are asked for."""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from service.watching.recording import BUCKETS, Own, Recorder, Serving, Timing

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric

_STATUSES_OF_ANSWERS = ("answered", "no_answer")


def exposition(recorder: Recorder) -> tuple[bytes, str]:
    """The text and its content type. The same, whichever worker is asked."""
    # 15 ms of a start that does not need it.
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(_Collector(recorder))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Collector:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def collect(self) -> "Iterator[Metric]":
        yield from self._requests()
        yield from self._answers()
        observed = self._recorder.observed()
        yield from _own([own for own, _ in observed])
        yield from _indexes(
            {name: [serving[name] for _, serving in observed] for name in self._recorder.collections}
        )

    def _requests(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        requests = CounterMetricFamily(
            "dateline_requests",
            "Requests, by route and class of status; left: the client went away first.",
            labels=["route", "status"],
        )
        latencies = HistogramMetricFamily(
            "dateline_request_seconds", "Times until a response was complete.", labels=["route"]
        )
        for route, record in self._recorder.routes().items():
            for status, count in record.by_status.items():
                requests.add_metric([route, status], count)
            _add(latencies, route, record.timing)
        stages = HistogramMetricFamily(
            "dateline_stage_seconds",
            "Times of the parts of a question: encode, search, rescore, read (within answer), answer, llm.",
            labels=["stage"],
        )
        for stage, timing in self._recorder.stages().items():
            _add(stages, stage, timing)
        yield requests
        yield latencies
        yield stages

    def _answers(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415

        counted = self._recorder.counted
        answers = CounterMetricFamily(
            "dateline_answers", "Answers; no_answer: the articles do not tell.", labels=["status"]
        )
        for status in _STATUSES_OF_ANSWERS:
            answers.add_metric([status], counted(status))
        yield answers
        yield CounterMetricFamily(
            "dateline_answers_degraded",
            "Answers made of quotes since the language model failed.",
            counted("degraded"),
        )
        yield CounterMetricFamily(
            "dateline_quotes_dropped",
            "Quotes that the gate did not let through, since no article holds them.",
            counted("quotes_dropped"),
        )
        yield CounterMetricFamily(
            "dateline_queue_refused", "Requests refused for want of a place.", counted("refused")
        )
        yield CounterMetricFamily(
            "dateline_queue_late", "Requests given up at their deadline.", counted("late")
        )


def _add(family: "HistogramMetricFamily", label: str, timing: Timing) -> None:
    bounds = [*map(str, BUCKETS), "+Inf"]
    buckets = list(zip(bounds, accumulate(timing.counts), strict=True))
    family.add_metric([label], buckets, timing.seconds)


def _own(workers: list[Own]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    yield GaugeMetricFamily("dateline_workers", "Processes that share the port.", len(workers))
    yield GaugeMetricFamily(
        "dateline_queue_waiting", "Requests that wait for their turn.", sum(own.waiting for own in workers)
    )
    yield GaugeMetricFamily(
        "dateline_queue_working", "Requests that are worked on.", sum(own.working for own in workers)
    )
    memory = GaugeMetricFamily(
        "dateline_resident_bytes", "Memory; what workers share counts for each.", labels=["worker"]
    )
    files = GaugeMetricFamily("dateline_open_files", "Open file descriptors.", labels=["worker"])
    for place, own in enumerate(workers):
        memory.add_metric([str(place)], own.resident_bytes)
        files.add_metric([str(place)], own.open_files)
    yield memory
    yield files


def _indexes(collections: dict[str, list[Serving]]) -> "Iterator[Metric]":
    """What is served of each collection, by all workers."""
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    info = GaugeMetricFamily(
        "dateline_index_info", "Workers that serve a generation.", labels=["collection", "generation"]
    )
    served = GaugeMetricFamily(
        "dateline_index_served", "Workers that serve any generation.", labels=["collection"]
    )
    fallback = GaugeMetricFamily(
        "dateline_index_fallback",
        "Workers that do not serve the generation that is named, since it is damaged or does not fit.",
        labels=["collection"],
    )
    age = GaugeMetricFamily(
        "dateline_index_age_seconds", "Since the oldest one served was built.", labels=["collection"]
    )
    articles = GaugeMetricFamily("dateline_index_articles", "Articles served.", labels=["collection"])
    passages = GaugeMetricFamily("dateline_index_passages", "Passages served.", labels=["collection"])
    for name, workers in collections.items():
        serving = [one for one in workers if one.generation]
        for generation, count in Counter(one.generation for one in serving).items():
            info.add_metric([name, generation], count)
        served.add_metric([name], len(serving))
        fallback.add_metric([name], sum(one.fallback for one in workers))
        if serving:
            oldest = min(serving, key=lambda one: one.created_at)
            age.add_metric([name], max(0.0, time.time() - oldest.created_at))
            articles.add_metric([name], oldest.articles)
            passages.add_metric([name], oldest.passages)
    yield from (info, served, fallback, age, articles, passages)
