"""The page can be read: on a narrow window, on a dark ground, aloud. It trusts no text from the data."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecom_platform.reporting import page, svg
from ecom_platform.reporting.figures import COMPARED, PARTS, QUANTILES, Run, derived_metrics, latency_metrics
from ecom_platform.reporting.page import loads_card, plain_first_screen, render
from ecom_platform.reporting.sampler import PARTS as PROCESSES
from ecom_platform.reporting.verdict import Evidence, judge
from ecom_platform.store.loads import Load, Loads
from ecom_platform.store.metrics import Activity, BatchRow, Files, Metric, Relation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEMPLATE = Path(page.__file__).with_name("page.html.j2").read_text()


def luminance(color: str) -> float:
    """Relative luminance, as WCAG 2.1 defines it."""
    digits = color.lstrip("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_letters_has_the_contrast_that_wcag_asks_for(theme: int) -> None:
    colors = dict(re.findall(r"--(\w+): (#\w+)", re.findall(r":root \{(.*?)\}", TEMPLATE, re.DOTALL)[theme]))
    for ground in ("card", "ground"):
        for ink in ("ink", "strong", "soft", "good", "bad"):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    # Of two periods the older one is nearer to the ground.
    assert contrast(colors["pale"], colors["card"]) < contrast(colors["blue"], colors["card"])


def test_a_state_can_be_read_on_its_colour() -> None:
    for ground in re.findall(r"\.state[^}]*background: (#\w+)", TEMPLATE):
        assert contrast("#ffffff", ground) >= 4.5, ground


def sampled(process: str) -> list[Metric]:
    """What the sampler says of a process in two seconds."""
    return [
        Metric("cpu_seconds", 1.5, "s", process),
        Metric("memory_peak_bytes", 2.0**29, "bytes", process),
        *(Metric("cpu_cores", 0.5, "cores", process, NOW + timedelta(seconds=n)) for n in range(2)),
        *(Metric("memory_bytes", 2.0**29, "bytes", process, NOW + timedelta(seconds=n)) for n in range(2)),
    ]


def a_run(name: str = "name") -> Run:
    """A run of one micro-batch of which everything was measured; ``name``: all that others have named."""
    batch = BatchRow(
        0,
        NOW,
        NOW + timedelta(seconds=8),
        3,
        1_000,
        300,
        4,
        8e3,
        1e2,
        2e2,
        50,
        4e3,
        9e3,
        4e2,
        1e2,
        2e2,
        2**28,
    )
    measured = [
        *(metric for process in PROCESSES for metric in sampled(process)),
        *latency_metrics([(1.0, 100), (2.5, 50)], [3 * q for q in QUANTILES]),
        *Activity(2.0**30, 5_000, 50, 950, 0, 2).metrics(),
        Metric("executor_task_seconds", 30.0, "s", name),
        Metric("executor_failed_tasks", 2, "tasks", name),
        Metric("sampled_seconds", 60.0, "s"),
        Metric("sampler_cpu_seconds", 0.3, "s"),
        Metric("generate_rows_per_second", 1_000.0, "rows/s"),
        Metric("generate_seconds", 2.0, "s"),
    ]
    run = Run(
        run_id=name,
        batches=[batch],
        files=Files(3, 1, 10_000, 1_000, 650, 50, 300, 50, 0, 0),
        rejects=[(name, 300)],
        relations=[Relation("user_events", 2**20, 2**19), Relation(name, 2**10, 2**10)],
        measured=measured,
        history={figure: [1.0, 2.0] for figure in COMPARED},
    )
    return replace(run, measured=[*measured, *derived_metrics(run)])


def page_of(run: Run) -> str:
    loads = Loads([Load(run.run_id, NOW, False, 3, 1, 650, 50, 300)], 12)
    return render(run, judge(Evidence.of(run)), plain_first_screen(loads_card(loads), NOW), NOW)


def text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.split("</head>")[1]).split())


def test_what_was_measured_stands_on_the_page_under_its_name() -> None:
    shown = text(page_of(a_run()))
    for said in (
        "2026-03-01 12:00 1 files in quarantine, rows rejected 3 650 50 300",
        "12 files wait to be loaded.",
        "The pipeline run name, 2026-03-01 12:00:00 UTC",
        "Rows per second 125 1,000 rows in 8 s, 1 micro-batch",
        "Processor time 6 s driver, JVM, Python workers, PostgreSQL",
        "Generated 1,000/s 2,000 events in 2 s",
        "of 1, by process; measured at 0.50% of the run",
        "Rows rejected 300 2 better than 0 of 2",
        "Sizes What Table Indexes CSV files of this run 9.77 KiB user_events 1 MiB 512 KiB",
        "name 0, 2 failed 30 s 0.0% -",
        "Blocks found in its cache 95.0%",
    ):
        assert said in shown
    for part in PARTS:
        assert shown.count(part) > 1  # in the legend and in the table


def test_nothing_that_others_have_named_is_taken_for_html() -> None:
    html = page_of(a_run("<script>alert('1&2')</script>"))
    assert "<script" not in html
    # The run, a table, an executor in their tables; the reason for a reject in a plot; the verdict.
    assert html.count("&lt;script&gt;alert(") >= 4
    assert "&amp;lt;" not in html  # nor escaped twice


def test_each_table_says_what_it_is_and_each_head_what_it_heads() -> None:
    loads = Loads([Load("run", NOW, False, 1, 0, 10, 0, 0)], 0)
    alone = render(None, None, plain_first_screen(loads_card(loads), NOW), NOW)
    for html, tables in ((alone, 1), (page_of(a_run()), 6)):
        assert html.count("<table>") == html.count("<caption>") == tables
        heads = re.findall(r"<th[ >][^>]*", html)
        assert heads and all('scope="col"' in head for head in heads)


def test_nothing_is_wider_than_a_narrow_window_and_letters_stay_large_enough() -> None:
    assert set(re.findall(r"auto-fit, minmax\(([^,]+),", TEMPLATE)) == {"min(190px", "min(440px"}
    assert "overflow-x: auto" in TEMPLATE
    (narrowest,) = (int(width) for width in re.findall(r"svg \{ width: 100%; min-width: (\d+)px", TEMPLATE))
    assert 13 * narrowest / svg.WIDTH >= 8
