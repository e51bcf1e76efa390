"""The report as one HTML page that needs nothing but itself.

Belongs here: which figures stand on it, and in what words. Does not belong here: what stands where (the
``*.html.j2`` beside it), plots (``charts``), judgement (``verdict``), files (``report``), a workload's own
first screen (``orchestration.workload``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from statistics import median

from markupsafe import Markup

from ecom_platform.reporting import charts, svg
from ecom_platform.reporting import wording as units
from ecom_platform.reporting.figures import COMPARED, PARTS, Run
from ecom_platform.reporting.sampler import PARTS as PROCESSES
from ecom_platform.reporting.templates import fill
from ecom_platform.reporting.verdict import Verdict
from ecom_platform.store.loads import Load, Loads


def render(run: Run | None, verdict: Verdict | None, first: Markup, now: datetime) -> Markup:
    """The whole page, below its ``first`` screen. ``run`` is ``None`` until something was loaded."""
    pipeline = None if run is None or verdict is None else _pipeline(run, verdict)
    return fill("reporting/page.html.j2", first=first, pipeline=pipeline, moment=written(now))


def plain_first_screen(loads: Markup, now: datetime) -> Markup:
    """Of an engine that runs alone: the card of the last loads."""
    return fill("reporting/plain.html.j2", loads=loads, written=written(now))


def written(now: datetime) -> str:
    return f"{_minute(now)} UTC"


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def loads_card(loads: Loads) -> Markup:
    """The last loads, as a card."""
    rows = [
        (
            _minute(load.moment),
            _state(load),
            f"{load.loaded:,}",
            f"{load.rows_inserted:,}",
            f"{load.rows_duplicate:,}",
            f"{load.rows_rejected:,}",
        )
        for load in loads.last
    ]
    waiting = f"{loads.waiting_files:,}" if loads.waiting_files else ""
    return fill("reporting/loads.html.j2", rows=rows, waiting=waiting)


def _state(load: Load) -> tuple[str, bool]:
    """In words, and whether they are a warning."""
    problems = ["interrupted"] if load.interrupted else []
    if load.quarantined:
        problems.append(f"{load.quarantined:,} files in quarantine")
    if load.rows_rejected:
        problems.append("rows rejected")
    fine = "loading" if load.loading else "complete"
    return ", ".join(problems) or fine, bool(problems)


# -- the engineering -----------------------------------------------------------------------------


def _pipeline(run: Run, verdict: Verdict) -> Markup:
    return fill(
        "reporting/pipeline.html.j2",
        run=run.run_id.split("-")[0],
        started=f"{run.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        verdict=verdict,
        figures=_figures(run),
        plots=_plots(run),
        not_inserted=charts.not_inserted(run),
        comparison=_comparison(run),
        parts=_parts(run),
        sizes=_sizes(run),
        executors=_executors(run),
        postgres=_postgres(run),
    )


def _figures(run: Run) -> list[tuple[str, str, str]]:
    """Those in large type: name, value, note."""
    cpu = run.cpu_by_process
    p50, p95 = run.value("latency_p50_seconds"), run.value("latency_p95_seconds")
    mean = run.value("latency_mean_seconds")
    peak = run.value("memory_peak_bytes")
    rate, seconds = run.value("generate_rows_per_second"), run.value("generate_seconds")
    return [
        (
            "Rows per second",
            f"{run.rows_per_second:,.0f}",
            f"{run.files.rows_read:,} rows in {units.seconds(run.seconds)}, "
            f"{len(run.batches)} micro-batch{'es' * (len(run.batches) > 1)}",
        ),
        (
            "Latency, landing to commit",
            units.seconds(p95) if p95 is not None else "-",
            f"95%; half {units.seconds(p50)}, mean {units.seconds(mean)}" if p50 and mean else "",
        ),
        ("Processor time", units.seconds(sum(cpu.values())) if cpu else "-", ", ".join(cpu)),
        (
            "Memory, at the most",
            units.size(peak) if peak else "-",
            ", ".join(_sampled(run, "memory_peak_bytes")),
        ),
        (
            "Generated",
            f"{rate:,.0f}/s" if rate else "-",
            f"{rate * seconds:,.0f} events in {units.seconds(seconds)}" if rate and seconds else "",
        ),
    ]


def _sampled(run: Run, name: str) -> list[str]:
    """The processes of which there is the figure; others ran elsewhere, or not at all."""
    known = {row.part for row in run.measured if row.name == name}
    return [process for process in PROCESSES if process in known]


def _plots(run: Run) -> list[tuple[str, str, Markup, Mapping[str, str]]]:
    """Title, note, picture (empty: there is nothing to plot), and the colours that are to be named."""
    cost, sampled = run.value("sampler_cpu_seconds"), run.value("sampled_seconds")
    measured = f"; measured at {cost / sampled:.2%} of the run" if cost and sampled else ""
    latency = charts.latency(run) if run.parts("latency_seconds") else Markup()
    cores, memory = _colors(run, "cpu_cores"), _colors(run, "memory_bytes")
    return [
        ("Rows per second", "by micro-batch", charts.throughput(run), {}),
        ("Seconds of a micro-batch", "by part", charts.durations(run), charts.PART_COLORS),
        ("Latency", "share of rows committed after their file landed", latency, {}),
        ("Growth", f"of {charts.grown(run)} over the last runs", charts.growth(run), charts.SIZE_COLORS),
        ("Processors", f"of {run.cores}, by process{measured}", charts.processors(run), cores),
        ("Memory", "by process", charts.memory(run), memory),
    ]


def _colors(run: Run, name: str) -> dict[str, str]:
    """The colours of the processes of which there is the figure."""
    sampled = _sampled(run, name)
    return {process: color for process, color in charts.PROCESS_COLORS.items() if process in sampled}


def _comparison(run: Run) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, (shown, unit, more_is_better) in COMPARED.items():
        value = run.value(name)
        before = run.history.get(name, [])
        if value is None:
            continue
        rows.append(
            (
                shown,
                _amount(value, unit),
                _amount(median(before), unit) if before else "-",
                _standing(value, before, more_is_better),
                svg.sparkline([*before, value], shown),
            )
        )
    return rows


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


def _parts(run: Run) -> list[tuple[str, str, str]]:
    spent = run.parts("part_seconds")
    total = sum(spent.values()) or 1.0
    return [
        (part, units.seconds(spent[part]), f"{spent[part] / total:.0%}") for part in PARTS if part in spent
    ]


def _executors(run: Run) -> list[tuple[str, ...]]:
    spent, collected = run.parts("executor_task_seconds"), run.parts("executor_gc_seconds")
    tasks, failed = run.parts("executor_tasks"), run.parts("executor_failed_tasks")
    heap = run.parts("executor_heap_peak_bytes")
    return [
        (
            name,
            f"{tasks.get(name, 0):,.0f}" + (f", {failed[name]:,.0f} failed" if failed.get(name) else ""),
            units.seconds(seconds),
            f"{collected.get(name, 0.0) / seconds:.1%}" if seconds else "-",
            units.size(heap[name]) if name in heap else "-",
        )
        for name, seconds in sorted(spent.items())
    ]


def _postgres(run: Run) -> list[tuple[str, str]]:
    log, whole = run.value("postgres_wal_bytes"), run.value("postgres_full_pages")
    read, hit = run.value("postgres_blocks_read"), run.value("postgres_blocks_hit")
    if log is None or whole is None or read is None or hit is None:
        return []
    return [
        ("Written to the log", units.size(log)),
        ("Pages that went into it whole", f"{whole:,.0f}"),
        ("Checkpoints", f"{run.value('postgres_checkpoints') or 0:,.0f}"),
        ("Blocks found in its cache", f"{hit / (hit + read):.1%}" if hit + read else "-"),
        ("Temporary files", units.size(run.value("postgres_temp_bytes") or 0)),
    ]


def _sizes(run: Run) -> list[tuple[str, str, str]]:
    files = ("CSV files of this run", units.size(run.files.csv_bytes), "")
    return [files, *((r.name, units.size(r.table_bytes), units.size(r.index_bytes)) for r in run.relations)]
