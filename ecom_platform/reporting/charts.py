"""Which figures are plotted, and how: one function a plot.

Belongs here: choosing form, order and colour. Does not belong here: drawing (``svg``), the page around the
plots (``page``).
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ecom_platform.reporting import svg
from ecom_platform.reporting import wording as units
from ecom_platform.reporting.figures import (
    BOOKKEEPING,
    COMMIT,
    COPY,
    DECODE,
    LISTING,
    PLANNING,
    TASKS,
    WAITING,
    Run,
    duplicates,
    wall_seconds,
)
from ecom_platform.reporting.sampler import DRIVER, JVM, POSTGRES, WORKERS

PART_COLORS = {
    WAITING: "#dee2e6",
    LISTING: svg.CYAN,
    PLANNING: svg.VIOLET,
    TASKS: svg.GREY,
    DECODE: svg.BLUE,
    COPY: svg.TEAL,
    COMMIT: svg.RED,
    BOOKKEEPING: svg.ORANGE,
}
PROCESS_COLORS = {POSTGRES: svg.TEAL, WORKERS: svg.BLUE, JVM: svg.ORANGE, DRIVER: svg.VIOLET}
SIZE_COLORS = {"table": svg.BLUE, "indexes": svg.ORANGE}
# More bars than this are thinner than their gaps: neighbours are added up.
_MOST_BARS = 80


def throughput(run: Run) -> Markup:
    """Rows per second of each micro-batch."""
    groups = _groups(len(run.batches))
    values = []
    for first, after in groups:
        batches = run.batches[first:after]
        seconds = sum(batch.duration_ms for batch in batches) / 1000
        values.append((_named(first, after), sum(b.rows for b in batches) / seconds if seconds else 0.0))
    return svg.bars(values, units.count, "Rows per second by micro-batch", [svg.TEAL])


def durations(run: Run) -> Markup:
    """Seconds of each micro-batch by part."""
    spent = wall_seconds(run.batches, run.cores)
    values = []
    for first, after in _groups(len(spent)):
        some = spent[first:after]
        parts = {part: sum(batch[part] for batch in some) / len(some) for part in PART_COLORS}
        values.append((_named(first, after), parts))
    return svg.stacked_bars(values, PART_COLORS, units.seconds, "Seconds of a micro-batch by part")


def latency(run: Run) -> Markup:
    """How long from landing to commit, and for which share of the rows."""
    curve = sorted((int(part[1:]), value) for part, value in run.parts("latency_seconds").items())
    points = [(value, percent / 100) for percent, value in curve]
    marked = [
        (value, percent / 100, f"{percent}% within {units.seconds(value)}")
        for percent, value in curve
        if percent in (50, 95)
    ]
    return svg.curve(
        [(0.0, 0.0), *points], units.seconds, units.share, "Share of rows committed", svg.BLUE, marked
    )


def processors(run: Run) -> Markup:
    """Cores in use over time, by process."""
    return _over_time(run, "cpu_cores", units.cores, "Cores in use by process")


def memory(run: Run) -> Markup:
    """Memory over time, by process; pages that processes share count once."""
    return _over_time(run, "memory_bytes", units.size, "Memory by process")


def grown(run: Run) -> str:
    """Whose growth is shown: the table, where there is one feed alone."""
    names = [relation.name for relation in run.relations if relation.of_feed]
    return names[0] if len(names) == 1 else "the tables of all feeds"


def growth(run: Run) -> Markup:
    """Size of the tables of feeds and of their indexes over the last runs, this one at the right."""
    sizes = {"table": "table_bytes", "indexes": "index_bytes"}
    series = {}
    runs = 0
    for shown, name in sizes.items():
        values = [*run.history.get(name, []), run.value(name) or 0.0]
        runs = len(values)
        values = values if runs > 1 else values * 2
        series[shown] = [(number / (len(values) - 1), value) for number, value in enumerate(values)]
    first = {1: "this run", 2: "the run before"}.get(runs, f"{runs - 1} runs ago")
    return svg.stacked_areas(
        series, SIZE_COLORS, units.size, f"Size of {grown(run)} and indexes", (first, "this run")
    )


def not_inserted(run: Run) -> Markup:
    """Rows that were read but not inserted, by cause."""
    rows = [
        (f"duplicate: {cause}", float(found), f"{found:,}")
        for cause, found in duplicates(run.files).items()
        if found
    ]
    rows += [(f"rejected: {reason}", float(found), f"{found:,}") for reason, found in run.rejects]
    return svg.ranked(rows, "Duplicates and rejects by cause", svg.ORANGE) if rows else Markup()


def _over_time(run: Run, name: str, unit: svg.Format, label: str) -> Markup:
    series = run.series(name)
    moments = [moment for points in series.values() for moment, _ in points]
    if not moments:
        return Markup()
    start = min(moments)
    span = (max(moments) - start).total_seconds() or 1.0
    scaled = {
        part: [((moment - start).total_seconds() / span, value) for moment, value in points]
        for part, points in series.items()
    }
    ends = ("0 s", units.seconds(span))
    return svg.stacked_areas(scaled, PROCESS_COLORS, unit, label, ends)


def _groups(number: int) -> list[tuple[int, int]]:
    """Neighbouring micro-batches that share a bar, as ranges."""
    size = -(-number // _MOST_BARS)
    return [(first, min(first + size, number)) for first in range(0, number, max(size, 1))]


def _named(first: int, after: int) -> str:
    return f"batch {first + 1}" if after == first + 1 else f"batches {first + 1} to {after}"


def in_the_ui(run: Run) -> Sequence[tuple[str, Markup]]:
    """The plots that the asset's page shows, each with its name."""
    plots = (
        ("rows/s by micro-batch", throughput(run)),
        ("seconds by part", durations(run)),
        ("latency from landing to commit", latency(run)),
        ("processors", processors(run)),
        ("memory", memory(run)),
        ("growth", growth(run)),
        ("duplicates and rejects", not_inserted(run)),
    )
    return [(name, plot) for name, plot in plots if plot]
