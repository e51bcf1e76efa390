"""The report as one HTML page that needs nothing but itself.

Belongs here: what stands where, in words. Does not belong here: plots (``charts``), judgement (``verdict``),
files (``report``), a workload's own first screen (``orchestration.workload``).

Everything that comes from data is escaped: product names and reasons are other people's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from string import Template

from ecom_platform.reporting import charts, svg
from ecom_platform.reporting import wording as units
from ecom_platform.reporting.blocks import card, cards, table
from ecom_platform.reporting.figures import COMPARED, PARTS, Run
from ecom_platform.reporting.sampler import PARTS as PROCESSES
from ecom_platform.reporting.verdict import Verdict
from ecom_platform.store.loads import Load, Loads

_TEMPLATE = Path(__file__).with_name("page.html.template")


def render(run: Run | None, verdict: Verdict | None, first: str, now: datetime) -> str:
    """The whole page, below its ``first`` screen. ``run`` is ``None`` until something was loaded."""
    body = [first]
    if run is None or verdict is None:
        body.append(
            '<section class="card"><p>Nothing has been loaded yet: <code>ecom run</code>.</p></section>'
        )
    else:
        body.append(_engineering(run, verdict))
    body.append(
        "<footer>Amounts have no currency, as the events have none. Times are UTC. Every figure is in "
        "<code>performance_metrics</code>.</footer>"
    )
    page = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return page.substitute(moment=written(now), body="\n".join(body))


def plain_first_screen(loads: str, now: datetime) -> str:
    """Of an engine that runs alone: the card of the last loads."""
    return f'{header("The pipeline", "", now)}\n<div class="first">{loads}</div>'


def header(title: str, period: str, now: datetime) -> str:
    """The page's head. ``period``: the days that the first screen is about."""
    return (
        f'<header><h1>{title}</h1><span class="soft">{period}</span>'
        f'<span class="soft">written {written(now)}</span></header>'
    )


def written(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def loads_card(loads: Loads) -> str:
    """The last loads, as a card."""
    return card("Last loads", _loads(loads))


def _loads(loads: Loads) -> str:
    if not loads.last:
        return "<p>None yet.</p>"
    rows = (
        (
            f"{load.moment.astimezone(UTC):%Y-%m-%d %H:%M}",
            _state(load),
            f"{load.loaded:,}",
            f"{load.rows_inserted:,}",
            f"{load.rows_duplicate:,}",
            f"{load.rows_rejected:,}",
        )
        for load in loads.last
    )
    waiting = f"<p>{loads.waiting_files:,} files wait to be loaded.</p>" if loads.waiting_files else ""
    heads = ("When", "State", "Files", "New events", "Duplicates", "Rejected")
    return table("The last loads", heads, rows, words=2) + waiting


def _state(load: Load) -> str:
    problems = ["interrupted"] if load.interrupted else []
    if load.quarantined:
        problems.append(f"{load.quarantined:,} files in quarantine")
    if load.rows_rejected:
        problems.append("rows rejected")
    kind = "state warn" if problems else "state"
    fine = "loading" if load.loading else "complete"
    return f'<span class="{kind}">{", ".join(problems) or fine}</span>'


# -- the engineering -----------------------------------------------------------------------------


def _engineering(run: Run, verdict: Verdict) -> str:
    short = escape(run.run_id.split("-")[0])
    started = f"{run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return "\n".join(
        [
            f'<h2>The pipeline <small class="soft">run {short}, {started}</small></h2>',
            f'<section class="card verdict"><p><strong>{escape(verdict.sentence)}</strong></p>'
            f"<p>{escape(verdict.recommendation)}</p></section>",
            cards(_pipeline_cards(run)),
            '<div class="grid">',
            *(card(title, plot + keys) for title, plot, keys in _plots(run) if plot),
            "</div>",
            "<h2>This run and the last ones</h2>",
            card("", _comparison(run)),
            "<h2>Every figure</h2>",
            '<div class="grid">',
            card("Where the time went", _parts(run)),
            card("Sizes", _sizes(run)),
            *(card(title, table) for title, table in _servers(run) if table),
            "</div>",
        ]
    )


def _pipeline_cards(run: Run) -> list[tuple[str, str, str]]:
    cpu = run.cpu_by_process
    p50, p95 = run.value("latency_p50_seconds"), run.value("latency_p95_seconds")
    mean = run.value("latency_mean_seconds")
    peak = run.value("memory_peak_bytes")
    rate, seconds = run.value("generate_rows_per_second"), run.value("generate_seconds")
    return [
        (
            "Rows per second",
            f"{run.rows_per_second:,.0f}",
            f"<span>{run.files.rows_read:,} rows in {units.seconds(run.seconds)}, "
            f"{len(run.batches)} micro-batch{'es' * (len(run.batches) > 1)}</span>",
        ),
        (
            "Latency, landing to commit",
            units.seconds(p95) if p95 is not None else "-",
            f"<span>95%; half {units.seconds(p50)}, mean {units.seconds(mean)}</span>"
            if p50 and mean
            else "",
        ),
        (
            "Processor time",
            units.seconds(sum(cpu.values())) if cpu else "-",
            f"<span>{', '.join(cpu)}</span>",
        ),
        (
            "Memory, at the most",
            units.size(peak) if peak else "-",
            f"<span>{', '.join(_sampled(run, 'memory_peak_bytes'))}</span>",
        ),
        (
            "Generated",
            f"{rate:,.0f}/s" if rate else "-",
            f"<span>{rate * seconds:,.0f} events in {units.seconds(seconds)}</span>"
            if rate and seconds
            else "",
        ),
    ]


def _sampled(run: Run, name: str) -> list[str]:
    """The processes of which there is the figure; others ran elsewhere, or not at all."""
    known = {row.part for row in run.measured if row.name == name}
    return [process for process in PROCESSES if process in known]


def _plots(run: Run) -> Iterable[tuple[str, str, str]]:
    cost, sampled = run.value("sampler_cpu_seconds"), run.value("sampled_seconds")
    measured = f"; measured at {cost / sampled:.2%} of the run" if cost and sampled else ""
    yield "Rows per second <small>by micro-batch</small>", charts.throughput(run), ""
    yield (
        "Seconds of a micro-batch <small>by part</small>",
        charts.durations(run),
        svg.legend(charts.PART_COLORS, PARTS),
    )
    yield (
        "Latency <small>share of rows committed after their file landed</small>",
        charts.latency(run) if run.parts("latency_seconds") else "",
        "",
    )
    yield (
        "Growth <small>of user_events over the last runs</small>",
        charts.growth(run),
        svg.legend(charts.SIZE_COLORS, charts.SIZE_COLORS),
    )
    yield (
        f"Processors <small>of {run.cores}, by process{measured}</small>",
        charts.processors(run),
        svg.legend(charts.PROCESS_COLORS, _sampled(run, "cpu_cores")),
    )
    yield (
        "Memory <small>by process</small>",
        charts.memory(run),
        svg.legend(charts.PROCESS_COLORS, _sampled(run, "memory_bytes")),
    )
    yield (
        "Rows that were not inserted <small>by cause</small>",
        charts.not_inserted(run) or "<p>Every row that was read is new.</p>",
        "",
    )


def _comparison(run: Run) -> str:
    rows = []
    for name, (shown, unit, more_is_better) in COMPARED.items():
        value = run.value(name)
        before = run.history.get(name, [])
        if value is None:
            continue
        usual = median(before) if before else None
        rows.append(
            (
                escape(shown),
                _amount(value, unit),
                _amount(usual, unit) if usual is not None else "-",
                _standing(value, before, more_is_better),
                svg.sparkline([*before, value], shown),
            )
        )
    return table(
        "Figures of the last runs", ("Figure", "This run", "Median before", "Standing", "Last runs"), rows
    )


def _standing(value: float, before: Sequence[float], more_is_better: bool | None) -> str:
    """Better than how many of the runs before; more than how many, where neither is better."""
    if not before:
        return "the first"
    worse = sum(value < old if more_is_better is False else value > old for old in before)
    same = sum(value == old for old in before)
    if same == len(before):
        return "as always"
    return f"{'more' if more_is_better is None else 'better'} than {worse} of {len(before)}"


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return units.seconds(value)
    if unit == "bytes":
        return units.size(value)
    return f"{value:,.0f}"


def _parts(run: Run) -> str:
    spent = run.parts("part_seconds")
    total = sum(spent.values()) or 1.0
    rows = [
        (part, units.seconds(spent[part]), f"{spent[part] / total:.0%}") for part in PARTS if part in spent
    ]
    return table("Where the time went", ("Part", "Time", "Share"), rows)


def _servers(run: Run) -> Iterable[tuple[str, str]]:
    """What Spark and PostgreSQL say of themselves, wherever they run."""
    yield "Spark's executors <small>by their own account</small>", _executors(run)
    yield "PostgreSQL <small>by its own statistics, while the run streamed</small>", _postgres(run)


def _executors(run: Run) -> str:
    spent, collected = run.parts("executor_task_seconds"), run.parts("executor_gc_seconds")
    tasks, failed = run.parts("executor_tasks"), run.parts("executor_failed_tasks")
    heap = run.parts("executor_heap_peak_bytes")
    rows = [
        (
            escape(name),
            f"{tasks.get(name, 0):,.0f}" + (f", {failed[name]:,.0f} failed" if failed.get(name) else ""),
            units.seconds(seconds),
            f"{collected.get(name, 0.0) / seconds:.1%}" if seconds else "-",
            units.size(heap[name]) if name in heap else "-",
        )
        for name, seconds in sorted(spent.items())
    ]
    heads = ("Executor", "Tasks", "Task time", "Garbage collection", "Heap, at the most")
    return table("Spark's executors", heads, rows) if rows else ""


def _postgres(run: Run) -> str:
    log, whole = run.value("postgres_wal_bytes"), run.value("postgres_full_pages")
    read, hit = run.value("postgres_blocks_read"), run.value("postgres_blocks_hit")
    if log is None or whole is None or read is None or hit is None:
        return ""
    rows = [
        ("Written to the log", units.size(log)),
        ("Pages that went into it whole", f"{whole:,.0f}"),
        ("Checkpoints", f"{run.value('postgres_checkpoints') or 0:,.0f}"),
        ("Blocks found in its cache", f"{hit / (hit + read):.1%}" if hit + read else "-"),
        ("Temporary files", units.size(run.value("postgres_temp_bytes") or 0)),
    ]
    return table("PostgreSQL's statistics", ("Figure", "Value"), rows)


def _sizes(run: Run) -> str:
    files = ("CSV files of this run", units.size(run.files.csv_bytes), "")
    rows = [(escape(r.name), units.size(r.table_bytes), units.size(r.index_bytes)) for r in run.relations]
    return table("Sizes", ("What", "Table", "Indexes"), [files, *rows])
