"""The report as one HTML page that needs nothing but itself.

Belongs here: what stands where, in words; the first screen is for the owner of the shop, the rest for
engineers. Does not belong here: plots (``charts``), judgement (``verdict``), files (``report``).

Everything that comes from data is escaped: product names and reasons are other people's text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from string import Template

from ecom_platform.postgres.shop import PERIOD_DAYS, Day, Load, Shop, Steps
from ecom_platform.reporting import charts, svg, units
from ecom_platform.reporting.figures import COMPARED, PARTS, Run
from ecom_platform.reporting.sampler import PARTS as PROCESSES
from ecom_platform.reporting.verdict import Verdict

_TEMPLATE = Path(__file__).with_name("page.html.template")


def render(shop: Shop, run: Run | None, verdict: Verdict | None, now: datetime) -> str:
    """The whole page. ``run`` is ``None`` until something was loaded."""
    moment = f"{now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    body = [_header(moment, shop), _shop(shop, now)]
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
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(moment=moment, body="\n".join(body))


# -- the shop ------------------------------------------------------------------------------------


def _header(moment: str, shop: Shop) -> str:
    period = ""
    if shop.days:
        last = shop.days[-PERIOD_DAYS:]
        period = f"{last[0].day:%d %b} to {last[-1].day:%d %b %Y}"
    return (
        f'<header><h1>The shop</h1><span class="soft">{period}</span>'
        f'<span class="soft">written {moment}</span></header>'
    )


def _shop(shop: Shop, now: datetime) -> str:
    current, before = shop.days[-PERIOD_DAYS:], shop.days[:-PERIOD_DAYS]
    # A day that is not over is compared with nothing.
    going_on = bool(current) and current[-1].day >= now.astimezone(UTC).date()
    whole = (current[:-1], before[:-1]) if going_on else (current, before)
    return "\n".join(
        [
            # What is in `first` fits on a window of 1280 by 800 together with what is above it.
            '<div class="first">',
            _cards(_shop_cards(current, *whole)),
            '<div class="grid">',
            _card(
                f"Revenue by day <small>the last {PERIOD_DAYS} days and those before"
                f"{'; the last is not over' if going_on else ''}</small>",
                charts.revenue(shop),
            ),
            _card("From view to purchase", charts.funnel(shop)),
            _card("Top products <small>by revenue</small>", charts.products(shop)),
            _card("Last loads", _loads(shop)),
            "</div></div>",
            '<div class="grid">',
            _card("Revenue by category", charts.categories(shop)),
            _card("Conversion <small>by device and country</small>", _conversion(shop)),
            "</div>",
        ]
    )


def _shop_cards(
    period: Sequence[Day], current: Sequence[Day], before: Sequence[Day]
) -> list[tuple[str, str, str]]:
    """Figures of the ``period``; its whole days, ``current``, beside the days ``before``."""

    def total(days: Sequence[Day], name: str) -> float:
        return float(sum(getattr(day, name) for day in days))

    def rate(days: Sequence[Day]) -> float:
        return total(days, "purchases") / (total(days, "views") or 1.0)

    # A shorter period before is no comparison.
    comparable = before if len(before) >= len(current) else []
    before = comparable[len(comparable) - len(current) :]

    def change(name: str) -> str:
        return _change(total(current, name), total(before, name), len(current))

    revenue, orders = total(period, "revenue"), total(period, "purchases")
    return [
        ("Revenue", units.money(revenue), change("revenue")),
        ("Purchases", f"{orders:,.0f}", change("purchases")),
        (
            "Conversion, view to purchase",
            f"{rate(period):.2%}",
            _change(rate(current), rate(before), len(current)),
        ),
        ("Revenue per purchase", units.money(revenue / orders) if orders else "-", ""),
    ]


def _change(now: float, before: float, days: int) -> str:
    if not before:
        return ""
    change = now / before - 1
    kind = "up" if change >= 0 else "down"
    return f'<span class="{kind}">{change:+.1%}</span> <span>{days} whole days to the {days} before</span>'


def _conversion(shop: Shop) -> str:
    rows: list[Steps] = [*shop.devices, *shop.countries[:4]]
    cells = (
        (escape(row.name), f"{row.views:,}", f"{row.purchases:,}", f"{row.purchases / max(row.views, 1):.2%}")
        for row in rows
    )
    return _table(
        "Conversion by device and country", ("Device, country", "Views", "Purchases", "Conversion"), cells
    )


def _loads(shop: Shop) -> str:
    if not shop.loads:
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
        for load in shop.loads
    )
    waiting = f"<p>{shop.waiting_files:,} files wait to be loaded.</p>" if shop.waiting_files else ""
    heads = ("When", "State", "Files", "New events", "Duplicates", "Rejected")
    return _table("The last loads", heads, rows, words=2) + waiting


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
            _cards(_pipeline_cards(run)),
            '<div class="grid">',
            *(_card(title, plot + keys) for title, plot, keys in _plots(run) if plot),
            "</div>",
            "<h2>This run and the last ones</h2>",
            _card("", _comparison(run)),
            "<h2>Every figure</h2>",
            '<div class="grid">',
            _card("Where the time went", _parts(run)),
            _card("Sizes", _sizes(run)),
            *(_card(title, table) for title, table in _servers(run) if table),
            "</div>",
        ]
    )


def _pipeline_cards(run: Run) -> list[tuple[str, str, str]]:
    cpu = run.cpu_by_process
    p50, p95 = run.value("latency_p50_seconds"), run.value("latency_p95_seconds")
    mean = run.value("latency_mean_seconds")
    peak = run.value("memory_peak_bytes")
    made = run.generated
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
            f"{made.events / max(made.seconds, 1e-9):,.0f}/s" if made else "-",
            f"<span>{made.events:,} events in {units.seconds(made.seconds)}</span>" if made else "",
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
    return _table(
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
    return _table("Where the time went", ("Part", "Time", "Share"), rows)


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
    return _table("Spark's executors", heads, rows) if rows else ""


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
    return _table("PostgreSQL's statistics", ("Figure", "Value"), rows)


def _sizes(run: Run) -> str:
    files = ("CSV files of this run", units.size(run.files.csv_bytes), "")
    rows = [(escape(r.name), units.size(r.table_bytes), units.size(r.index_bytes)) for r in run.relations]
    return _table("Sizes", ("What", "Table", "Indexes"), [files, *rows])


# -- building blocks -----------------------------------------------------------------------------


def _cards(cards: Iterable[tuple[str, str, str]]) -> str:
    items = "".join(
        f'<div class="card kpi"><span>{name}</span><b>{value}</b>{note}</div>' for name, value, note in cards
    )
    return f'<div class="cards">{items}</div>'


def _card(title: str, content: str) -> str:
    heading = f"<h3>{title}</h3>" if title else ""
    return f'<section class="card">{heading}{content}</section>'


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first ``words`` columns are words, the others numbers. Cells are HTML.

    The caption is read aloud; on the screen the card's heading says it.
    """

    def kind(at: int) -> str:
        return "" if at < words else ' class="n"'

    head = "".join(f'<th scope="col"{kind(at)}>{cell}</th>' for at, cell in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(f'<td{kind(at)}>{cell}</td>' for at, cell in enumerate(row))}</tr>" for row in rows
    )
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
