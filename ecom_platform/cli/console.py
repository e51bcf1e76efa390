"""What a person sees on the terminal: progress while a run lasts, its summary afterwards.

Belongs here: Rich, and the choice between a live display and plain lines. All of it goes to
standard error; standard output is for results. Does not belong here: finding anything out.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column, Table
from rich.text import Text

from ecom_platform.processes.output import display

if TYPE_CHECKING:
    from ecom_platform.cli.doctor import Prerequisite
    from ecom_platform.cli.status import Status
    from ecom_platform.orchestration.execution import CheckOutcome, RunSummary
    from ecom_platform.settings import Settings
    from ecom_platform.store.ledger import RunProgress
    from ecom_platform.streaming.live import LiveProgress

# A log is told this often how the live mode gets on, as long as it loads something.
_LOG_EVERY_SECONDS = 10.0
# Of what was not taken, more would hide the rest of the summary.
_LEFT_SHOWN = 20
# A column of sentences has at least so many characters.
_NARROWEST = 24


class Progress:
    """A live line on a terminal, or one plain line per step in a log."""

    def __init__(self, job: str, run_id: str, rows: int) -> None:
        """``rows``: how many there will be; 0 where nobody knows."""
        self._console = Console(file=display())
        self._expected = rows
        self._title = f"{job} {run_id.split('-')[0]}"
        self._started = time.perf_counter()
        self._last_line = ""
        self._live = RichProgress(
            SpinnerColumn(),
            # One line on any terminal: the bar takes what is left, and a long text is cut.
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TaskProgressColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
            expand=True,
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._live.add_task(self._title, total=None, rate="")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Nothing more is shown."""
        self._live.stop()

    def say(self, text: str) -> None:
        """A step has begun."""
        self._live.update(self._task, description=f"{self._title}: {text}")
        self._plain(text)

    def rows(self, progress: RunProgress) -> None:
        """What the run has committed, as the tables have it."""
        committed = progress.rows
        if not committed:
            if progress.claimed_files:
                self._live.update(
                    self._task, total=self._expected or None, description=f"{self._title}: waiting for Spark"
                )
                self._plain(f"{progress.claimed_files:,} files claimed; streaming")
            return
        # What earlier runs left is loaded, too.
        of = f" of {self._expected:,}" if self._expected >= committed else ""
        text = f"{committed:,}{of} rows committed"
        self._live.update(
            self._task,
            total=max(self._expected, committed),
            completed=committed,
            description=f"{self._title}: {text}",
            rate=f"{progress.rows_per_second:,.0f} rows/s",
        )
        self._plain(text)

    def _plain(self, text: str) -> None:
        if not self._console.is_terminal and text != self._last_line:
            elapsed = time.perf_counter() - self._started
            self._console.print(f"[{elapsed:6.1f} s] {text}", highlight=False, markup=False)
        self._last_line = text


class LiveDisplay:
    """The live mode: one line kept up to date on a terminal, a plain line now and then in a log."""

    def __init__(self) -> None:
        self._console = Console(file=display())
        self._status = self._console.status("starting")
        self._logged_at = 0.0
        self._logged_rows = 0

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._status.stop()

    def say(self, text: str) -> None:
        """Something that should stay on the screen and in the log."""
        self._print(text)

    def progress(self, progress: LiveProgress) -> None:
        """Where the live mode stands."""
        text = _live_line(progress)
        if self._console.is_terminal:
            self._status.update(Text(text))
        elif (
            progress.rows != self._logged_rows and time.perf_counter() - self._logged_at >= _LOG_EVERY_SECONDS
        ):
            self._print(text)
            self._logged_at, self._logged_rows = time.perf_counter(), progress.rows

    def _print(self, text: str) -> None:
        now = datetime.now(UTC)
        self._console.print(f"[{now:%H:%M:%S}] {text}", highlight=False, markup=False, soft_wrap=True)


def _live_line(progress: LiveProgress) -> str:
    parts = [f"{progress.rows:,} rows committed", f"{progress.rows_per_second:,.0f} rows/s"]
    if progress.latency_p95 is not None:
        parts.append(f"latency p50 {progress.latency_p50:.2f} s, p95 {progress.latency_p95:.2f} s")
    parts.append(f"{progress.backlog_files:,} files waiting")
    return ", ".join(parts)


# Kinds of rows and files that most runs never have: shown where there are some.
_RARE = ("updated", "stale", "waiting")


def print_summary(summary: RunSummary, settings: Settings) -> None:
    """The run as a table, then each check that did not pass, then where to look next."""
    console = Console(file=display())
    values = summary.as_json()
    table = Table(
        title=f"Run {summary.run_id}", title_justify="left", show_header=False, box=None, pad_edge=False
    )
    table.add_column(style="bold")
    table.add_column()
    for name in ("files", "rows", "seconds"):
        shown = [(key, value) for key, value in values[name].items() if value or key not in _RARE]
        table.add_row(name, "   ".join(f"{_number(value)} {key}" for key, value in shown))
        if name == "rows" and len(summary.rows_by_feed) > 1:
            for feed, rows in summary.rows_by_feed.items():
                counted = "   ".join(f"{value:,} {key}" for key, value in rows.items() if value)
                table.add_row("", Text(f"{feed}: {counted or 'none'}", style="dim"))
    checks = f"{values['checks']['passed']} passed   {len(summary.failed)} failed"
    table.add_row("checks", checks + (f"   {len(summary.warned)} warned" if summary.warned else ""))
    console.print(table)
    for check in [*summary.failed, *summary.warned]:
        _print_check(console, check, summary.waiting)
    quarantined = [f"Quarantined: {name}: {why}" for name, why in summary.quarantined.items()]
    if quarantined:
        quarantined.append("Correct what is wanted of these and let it land again; delete the rest.")
    _print_left(console, quarantined, "Quarantined")
    _print_left(console, [f"Waits: {name}: {text}" for name, text in summary.waiting.items()], "Waits")
    taken = "Not taken"
    _print_left(console, [f"{taken}: {name} is {reason}" for name, reason in summary.refused.items()], taken)
    if summary.load and not summary.files["landed"] and not summary.files["unsettled"]:
        console.print(
            f"Nothing to load has landed in {settings.landing_place}.", markup=False, soft_wrap=True
        )
    _print_verdict(console, summary, settings)


def _number(value: float | dict[str, str]) -> str:
    if isinstance(value, dict):
        return f"{len(value):,}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _print_check(console: Console, check: CheckOutcome, said: Mapping[str, str]) -> None:
    """``said``: what is told of files elsewhere in the summary."""
    color = "red" if check.severity == "ERROR" else "yellow"
    console.print(
        f"[{color}]{check.severity}[/] {check.name}: expected {check.expected}, found {check.found}"
    )
    for name, value in check.details.items():
        if said.get(name) == value:
            continue
        console.print(f"      {name}: {value}", markup=False)


def _print_left(console: Console, sentences: Sequence[str], kind: str) -> None:
    """What lies in the landing folder and was left there: a run that loads all the rest ends well."""
    for sentence in sentences[:_LEFT_SHOWN]:
        console.print(Text(sentence, style="yellow"), soft_wrap=True)
    more = len(sentences) - _LEFT_SHOWN
    if more > 0:
        console.print(f"{kind}: {more:,} more; `--json` names all.", style="yellow", markup=False)


def _print_verdict(console: Console, summary: RunSummary, settings: Settings) -> None:
    if summary.error is not None:
        console.print(f"Error: {summary.error.message}", style="red", markup=False, soft_wrap=True)
        console.print(summary.error.remedy, markup=False, soft_wrap=True)
    elif summary.success and summary.warned:
        names = ", ".join(check.name for check in summary.warned)
        console.print(
            f"[yellow]No check of severity ERROR failed; {len(summary.warned)} warned:[/] {names}. "
            "`make dev` shows the run.",
            soft_wrap=True,
        )
    elif summary.success:
        console.print("[green]Every check passed.[/] `make dev` shows the run; `ecom psql` opens the table.")
    else:
        console.print(f"[red]{len(summary.failed)} checks failed.[/] `make dev` shows the run and its log.")
    if summary.told:
        console.print(summary.told, markup=False, highlight=False, soft_wrap=True)
    console.print(f"State is in {settings.home}.", style="dim", markup=False, soft_wrap=True)
    if summary.report is not None:
        console.print(f"Report: {summary.report}", markup=False, soft_wrap=True)


def print_findings(findings: Sequence[Prerequisite]) -> None:
    """The doctor's findings, on standard output: they are its result."""
    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = "[green]ok[/]" if finding.ok else "[red]missing[/]"
        state = finding.state if finding.ok else f"{finding.state}\n{finding.remedy}"
        table.add_row(mark, finding.name, state)
    console.print(table)


def print_rows(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 0, result: bool = False
) -> None:
    """A table of texts; on standard output where it is the ``result``. The first ``names`` columns are never
    cut or broken; where the terminal is too narrow for that, each row is a list."""
    console = Console() if result else Console(file=display())
    widths = [max(len(text) for text in column) for column in zip(heads, *rows, strict=True)]
    if sum(widths[:names]) + names + _NARROWEST * bool(widths[names:]) > console.width:
        for first, *others in rows:
            console.print(Text(first), soft_wrap=True)
            for head, text in zip(heads[1:], others, strict=True):
                console.print(Text(f"    {head}: {text}"), soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=number < names)
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    console.print(table)


def print_status(status: Status) -> None:
    """How the platform is, on standard output."""
    from ecom_platform.cli.status import moment
    from ecom_platform.store.outcome import counts_text

    console = Console()
    table = Table(box=None, show_header=False, pad_edge=False)
    waiting, tables, run = status.waiting, status.tables, status.history.last_run
    since = f", the oldest since {moment(waiting.since)}" if waiting.since else ""
    none = f"; {len(waiting.without_feed):,} of no feed" if waiting.without_feed else ""
    table.add_row("waiting", f"{waiting.files:,} files, {waiting.bytes / 2**20:,.1f} MiB{since}{none}")
    table.add_row("under way", Text(tables.ingest or "nothing"))
    last = tables.last_loaded
    rows = counts_text(last.inserted, last.updated, last.stale, last.duplicate, last.rejected) if last else ""
    table.add_row(
        "last loaded", Text(f"{last.name}, {moment(last.finished_at)}: {rows}" if last else "nothing yet")
    )
    ended = (
        f"{run.job} {run.run_id.split('-')[0]}, {moment(run.ended_at)}: {run.state}" if run else "none yet"
    )
    table.add_row("last run", Text(ended))
    table.add_row("rejects", f"{tables.open_rejects:,} open rows (`ecom rejects list`)")
    table.add_row("alerts", f"{len(tables.alerts):,} open")
    console.print(table)
    for color, sentences in (("red", status.red), ("yellow", status.yellow)):
        for sentence in sentences:
            console.print(Text.assemble((color, color), f"  {sentence}"))
    if not status.red:
        console.print("Nothing is red.", style="green")
