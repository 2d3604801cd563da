"""Writes docs/benchmarks.md and its picture from the figures in bench/results/.

    python bench/report.py

A measurement that is not there has no section.
"""

import json
from collections.abc import Iterator
from html import escape
from math import log10
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "benchmarks.svg"
_SVG = "http://www.w3.org/2000/svg"
_STYLE = (
    ".ground{fill:#fff}text{fill:#1f2328}.bar{fill:#0969da}.worse{fill:#bc4c00}.tick{stroke:#1f2328}"
    "@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.bar{fill:#4493f8}.worse{fill:#db6d28}"
    ".tick{stroke:#e6edf3}}"
)
_ON_PAPER = 10_000_000  # passages
_LEAST_FOR_PAPER = 1_000_000  # measured, before more is said of what is larger

INTRODUCTION = """# Benchmarks

Written by `bench/report.py` from the figures in `bench/results/`: change those by measuring again.
`make bench` measures against the peer and writes this page; `make bench-scale` measures the growth to a
million passages, hours the first time, and writes it anew.
"""

MEANINGS = {
    "ours_1_percent": "Dateline, 1 % of the articles changed",
    "theirs_1_percent": "txtai, the same passages upserted",
    "ours_all": "Dateline, every article changed",
    "theirs_all": "txtai, everything indexed again",
}


def number(value: float) -> str:
    """Three figures that count."""
    if value >= 100:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 0.01 else f"{value:.4f}"  # noqa: PLR2004


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    """The first column is words, the others are numbers."""
    yield f"| {' | '.join(head)} |"
    yield f"|---|{'---:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def conditions(found: dict[str, Any]) -> Iterator[str]:
    versions = ", ".join(f"{name} {number_}" for name, number_ in found["versions"].items())
    before = ", ".join(f"{one:.1f}" for one in found["load_average"])
    yield (
        f"Measured on {found['date'][:10]}: {found['machine']}, {found['cores']} cores, load average before "
        f"{before}; Python {found['python']}; {versions}."
    )
    yield ""


# --- against the peer


def peers(found: dict[str, Any]) -> Iterator[str]:
    figures = found["figures"]
    yield "## Against txtai"
    yield ""
    yield (
        f"The same {figures['passages']:,} passages of {figures['articles']} articles, the same weights "
        "(all-MiniLM-L6-v2), in one run, turn by turn. txtai indexes and serves as its documentation has it "
        "(hybrid search with content, FAISS, its own API on uvicorn), and once more computing in bfloat16, "
        "which Dateline does too; both serve with one worker and with one for each core. The best of either "
        "counts in each line. Every question is asked once. Dateline's figures hold what txtai does not do: "
        "reading and cleaning articles, telling copies apart, dates and quotations, late interaction, "
        "highlights."
    )
    yield ""
    yield from conditions(found["conditions"])
    yield "![How many times better, line by line](benchmarks.svg)"
    yield ""
    rows = []
    for one in found["compared"]:
        target = one["target"]
        said = f"{target}×, {'met' if one['ratio'] >= target else 'missed'}" if target else ""
        rows.append(
            [
                f"{one['what']}, {one['unit']}",
                number(one["ours"]),
                number(one["theirs"]),
                f"{number(one['ratio'])}×",
                said,
            ]
        )
    yield from table(["", "Dateline", "txtai", "better", "target"], rows)
    yield (
        "Searches of one client while the index changes, from the beginning of the change until it is "
        "served. The target is no failure and a p99 of at most twice the quiet one."
    )
    yield ""
    rows = [
        [
            MEANINGS[one["what"]],
            str(one["failed"]),
            number(one["quiet_p99_ms"]),
            number(one["busy_p99_ms"]) if one["busy_p99_ms"] else "",
            f"{number(one['times'])}×" if one["times"] else "",
            number(one["longest_ms"]) if one["longest_ms"] else "",
            number(one["took_s"]),
        ]
        for one in found["meanwhile"]
    ]
    yield from table(
        ["", "failed", "p99 quiet, ms", "p99 meanwhile, ms", "slower", "longest, ms", "the change, s"], rows
    )


def picture(found: dict[str, Any]) -> str:
    """Bars of the ratios on a logarithmic scale, a tick where the target is; colours for light and dark."""
    lines = found["compared"]
    most = log10(max([10.0, *(max(one["ratio"], one["target"] or 0) for one in lines)]))
    left, width, height = 250, 420, 22

    def place(ratio: float) -> float:
        return left + width * max(0.0, log10(ratio)) / most if ratio > 0 else left

    drawn = [
        f'<svg xmlns="{_SVG}" viewBox="0 0 {left + width + 70} {height * len(lines) + 34}">',
        '<g role="img" font-family="system-ui, sans-serif" font-size="13">',
        "<title>How many times better Dateline is than txtai</title>",
        f"<style>{_STYLE}</style>",
        '<rect class="ground" width="100%" height="100%"/>',
    ]
    for at, one in enumerate(lines):
        top = at * height + 4
        end = place(one["ratio"])
        kind = "bar" if one["ratio"] >= 1 else "worse"
        drawn.append(f'<text x="{left - 8}" y="{top + 13}" text-anchor="end">{escape(one["what"])}</text>')
        drawn.append(
            f'<rect class="{kind}" x="{left}" y="{top + 2}" width="{max(2.0, end - left):.1f}" height="14"/>'
        )
        drawn.append(f'<text x="{left + width + 10}" y="{top + 13}">{number(one["ratio"])}×</text>')
        if one["target"]:
            x = place(one["target"])
            drawn.append(
                f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + 18}" stroke-width="2"/>'
            )
    bottom = len(lines) * height + 24
    drawn.append(
        f'<text x="{left}" y="{bottom}" font-size="11">times better (log); upright: the target</text>'
    )
    return "\n".join([*drawn, "</g></svg>"]) + "\n"


# --- as it grows


def on_disk(size: dict[str, Any]) -> float:
    """Bytes a passage; the encoder is one however many there are."""
    return float(sum(bytes_ for part, bytes_ in size["bytes_each"].items() if part != "encoder"))


def scale(found: dict[str, Any]) -> Iterator[str]:
    sizes = sorted(found["sizes"].values(), key=lambda one: int(one["passages"]))
    yield "## As it grows"
    yield ""
    yield (
        "Passages of about 60 tokens, eight an article, made of real sentences with made-up names and "
        f"numbers. The first {found['encoded']:,} vectors and token vectors are real; every other vector is "
        "a real one moved at random by the covariance of these (`bench/scale.py`). The build is without "
        "encoding. Resident bytes are those of the serving process less those over one passage; what was "
        "read of mapped files counts."
    )
    yield ""
    yield from conditions(sizes[-1]["conditions"])
    rows = [
        [
            f"{one['passages']:,}",
            number(one["build_s"]),
            number(one["ready_s"]),
            number(one["http_1"]["p50_ms"]),
            number(one["http_1"]["p99_ms"]),
            number(one["http_16"]["per_second"]),
            f"{one['searches']['all']['recall_at_10']:.4f}",
            number(one["resident_bytes_each"]),
            number(on_disk(one)),
        ]
        for one in sizes
    ]
    head = ["passages", "build, s", "ready, s", "p50, ms", "p99, ms", "searches/s, 16 clients"]
    yield from table([*head, "recall@10", "resident bytes each", "bytes on disk each"], rows)
    yield "Filters by date (of the hybrid search in the process, one at a time):"
    yield ""
    rows = [
        [
            f"{one['passages']:,}, {'all' if kept == 'all' else kept}",
            f"{search['passages']:,}",
            f"{search['recall_at_10']:.4f}",
            "full" if search["full_lists"] else "not full",
            number(search["dense"]["p50_ms"]),
            number(search["hybrid"]["p50_ms"]),
            number(search["hybrid"]["p99_ms"]),
        ]
        for one in sizes
        for kept, search in one["searches"].items()
    ]
    head = ["passages, kept", "pass", "recall@10", "lists", "dense p50, ms", "hybrid p50, ms"]
    yield from table([*head, "hybrid p99, ms"], rows)
    if len(sizes) > 1 and sizes[-1]["passages"] >= _LEAST_FOR_PAPER:
        yield from on_paper(sizes[-2], sizes[-1])


def on_paper(less: dict[str, Any], more: dict[str, Any]) -> Iterator[str]:
    """The straight line through the two largest sizes, drawn on."""

    def at(value: Any) -> float:  # noqa: ANN401
        slope = (value(more) - value(less)) / (more["passages"] - less["passages"])
        return float(value(more) + slope * (_ON_PAPER - more["passages"]))

    resident_gb = at(lambda one: one["resident_mb"]) * 2**20 / 1e9
    disk_gb = at(lambda one: on_disk(one) * one["passages"]) / 1e9
    yield (
        f"On paper, by the line through the last two sizes: {_ON_PAPER:,} passages are built in "
        f"{number(at(lambda one: one['build_s']) / 60)} minutes without encoding, ready in "
        f"{number(at(lambda one: one['ready_s']))} s, hold {number(resident_gb)} GB resident "
        f"and {number(disk_gb)} GB on disk."
    )
    yield ""


def incremental(found: dict[str, Any]) -> Iterator[str]:
    yield "## One per cent more"
    yield ""
    yield (
        f"{found['articles']:,} articles of one passage each, built and encoded: "
        f"{number(found['build_s'])} s. {found['added']:,} more by `dateline index add`: "
        f"{number(found['add_s'])} s, {found['share']:.1%} of the build (target: at most "
        f"{found['most_share']:.0%})."
    )
    yield ""
    yield from conditions(found["conditions"])


# --- what it costs


def cost(found: dict[str, Any]) -> Iterator[str]:
    best = found["measured"]
    yield "## What it costs"
    yield ""
    yield (
        f"Of an index of {found['index_passages']:,} passages. A token costs the network "
        f"{found['flops_of_a_passage']['weights'] / found['tokens_of_a_passage'] / 1e6:.1f} MFLOP in its "
        "weights; attention grows with the square of the length."
    )
    yield ""
    yield from conditions(found["conditions"])
    rows = []
    for name, what in (("passage", "a passage"), ("question", "a question")):
        flops = found[f"flops_of_a_{name}"]
        rows.append(
            [
                what,
                number(found[f"tokens_of_a_{name}"]),
                number(flops["weights"] / 1e6),
                number(flops["attention"] / 1e6),
                number(best[f"{name}s_per_s"]),
                number(found[f"{name}_gflops"]),
                f"{found[f'{name}_share']:.0%}",
            ]
        )
    head = ["", "tokens", "weights, MFLOP", "attention, MFLOP", "encoded/s", "GFLOP/s"]
    yield from table([*head, "of the ceiling"], rows)
    yield (
        "The ceiling is measured beside it: bf16 products of large matrices at "
        f"{number(best['gemm_gflops'])} GFLOP/s on all cores; memory is copied at "
        f"{number(best['copy_gb_s'])} GB/s by one thread."
    )
    yield ""
    rows = [[part, number(size)] for part, size in found["bytes_of_a_passage"].items() if part != "encoder"]
    yield from table(["on disk", "bytes a passage"], rows)


def main() -> None:
    page = [INTRODUCTION]
    for name, section in (
        ("peers", peers),
        ("scale", scale),
        ("incremental", incremental),
        ("cost", cost),
    ):
        file = RESULTS / f"{name}.json"
        if not file.is_file():
            print(f"no {file.relative_to(ROOT)}: its section is left out")
            continue
        found = json.loads(file.read_text(encoding="utf-8"))
        page += section(found)
        if name == "peers":
            PICTURE.write_text(picture(found), encoding="utf-8")
    PAGE.write_text("\n".join(page).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
