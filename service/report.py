"""Search and answers measured, as tables on a terminal or as JSON lines."""

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from indexer.build import Recipe
from indexer.errors import UsageError
from indexer.generation import Generation
from indexer.progress import Plain
from indexer.reader import NONE
from service import evaluation
from service.reranking import rescoring_by
from service.retrieval import Rescoring, SearchQuery
from service.settings import Settings
from service.terminal import opened


def print_retrieval(
    settings: Settings,
    collections: Sequence[Path],
    index: Path | None,
    work: Path,
    limit: int | None,
    run: Path | None,
    compare: Path | None,
    *,
    as_json: bool,
) -> None:
    """Prints how good search is on each collection, by default and by its parts."""
    if (run or compare) and len(collections) > 1:
        raise UsageError("--run and --compare: give one collection")
    other = evaluation.read_run(compare) if compare else None
    query = SearchQuery("", rescoring=rescoring_by(settings))
    ways = {
        "default": (query, True),
        "as asked": (query, False),  # its own words about days and speakers unread
        "plain hybrid": (replace(query, rescoring=Rescoring(0)), False),
        "dense": (replace(query, mode="dense"), False),
        "lexical": (replace(query, mode="lexical"), False),
    }
    rows = []
    differences = []
    for path in collections:
        judged = evaluation.sampled(evaluation.read_judged(path, work), limit)
        with _measured(settings, judged, index, work) as generation:
            for way, (asked, interpreted) in ways.items():
                ranked = evaluation.rank(generation, judged, asked, interpreted=interpreted)
                means = evaluation.measure(judged.qrels, ranked.run)
                rows.append({"collection": judged.name, "way": way, **means, **ranked.times})
                if way == "default":
                    if run:
                        evaluation.write_run(ranked.run, run)
                    if other:
                        differences = evaluation.compare(judged.qrels, ranked.run, other)
    _print_rows(rows, as_json=as_json)
    _print_rows([{"against": str(compare), **asdict(one)} for one in differences], as_json=as_json)


def print_answers(
    settings: Settings,
    collections: Sequence[Path],
    index: Path | None,
    work: Path,
    limit: int | None,
    *,
    as_json: bool,
) -> None:
    """Prints how good answers are on each collection."""
    rows = []
    query = SearchQuery("", rescoring=rescoring_by(settings))
    for path in collections:
        judged = evaluation.sampled(evaluation.read_judged(path, work), limit)
        rest = None
        with ExitStack() as opened_now:
            generation = opened_now.enter_context(_measured(settings, judged, index, work))
            if all(question.answers for question in judged.questions) and judged.qrels and not index:
                rest = evaluation.without_answers(judged, work, _recipe(settings), Plain(sys.stderr))
                opened_now.enter_context(rest or nullcontext())
            # One that the index carries is measured beside doing without.
            for reader in dict.fromkeys([generation.reader, None]):
                tried = evaluation.try_answers(generation, judged.questions, query, reader=reader)
                if rest:
                    tried += evaluation.try_answers(rest, judged.questions, query, reader=reader, silent=True)
                answered = evaluation.summed_up(tried, threshold=settings.min_confidence)
                rows.append(
                    {
                        "collection": judged.name,
                        "reader": reader.facts.model if reader else NONE,
                        "threshold": settings.min_confidence,
                        **asdict(answered),
                    }
                )
    _print_rows(rows, as_json=as_json, upright=True)


def _measured(settings: Settings, judged: evaluation.Judged, index: Path | None, work: Path) -> Generation:
    if index:
        return opened(settings)
    return evaluation.index_of(judged, work, _recipe(settings), Plain(sys.stderr))


def _recipe(settings: Settings) -> Recipe:
    return Recipe.by(settings)


def _print_rows(rows: Sequence[dict[str, Any]], *, as_json: bool, upright: bool = False) -> None:
    """A table of records alike, or a line of JSON for each; `upright` has a column for each record."""
    if as_json:
        for row in rows:
            print(json.dumps(row))
        return
    if not rows:
        return
    names, columns = list(rows[0]), [[_figure(row[name]) for name in rows[0]] for row in rows]
    table = Table(box=None, pad_edge=False)
    lines = list(zip(names, *columns, strict=True)) if upright else [names, *columns]
    for at, heading in enumerate(lines[0]):
        table.add_column(heading, justify="left" if at == 0 or not heading[:1].isdigit() else "right")
    for line in lines[1:]:
        table.add_row(*line)
    Console(highlight=False, soft_wrap=True).print(table)


def _figure(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004
    return "-" if value is None else str(value)
