"""`ecom dev` with one declared feed and with many: how fast it answers, how long its sensor's ticks take.

The two are started in turn, each in a home of its own. A file lands in every feed's folder at the end, so
that one run loads as many feeds as there are.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import Findings
from benchmarks.sensor import Dev, wait_for
from benchmarks.server import running

_DECLARATION = """
about: Feed {number}
columns:
  id: bigint
  at: timestamptz
  kind: {{type: text, in: [a, b, c]}}
  price: numeric(10,2) null
primary_key: id
roles: {{time: at}}
"""
_ROWS = "id,at,kind,price\n" + "".join(f"{n},2026-01-02 03:04:05,a,1.50\n" for n in range(100))
_QUESTIONS = {
    "the graph": "{assetNodes {assetKey {path} dependencyKeys {path} groupName kinds description"
    " assetMaterializations(limit: 1) {timestamp} }}",
    "checks of an asset": '{assetNodeOrError(assetKey: {path: ["user_events"]}) {... on AssetNode'
    " {assetChecksOrError {... on AssetChecks {checks {name executionForLatestMaterialization {status}}}}}}}",
    "runs": "{runsOrError(limit: 25) {... on Runs {results {runId status assetSelection {path}}}}}",
}
_ASKED_TIMES, _QUIET_TICKS = 15, 4
_LOADED = "SELECT count(*) FROM ingested_files WHERE state = 'loaded'"


def run(folder: Path, say: Callable[[str], None], *, counts: Sequence[int], repeat: int) -> Findings:
    """Medians of ``repeat`` starts with each of ``counts`` declared feeds, in turn."""
    measured: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    shutil.rmtree(folder / "many-feeds", ignore_errors=True)
    for number in range(repeat):
        for count in counts:
            place = folder / "many-feeds" / f"{number}-{count}"
            with running(place / "postgres") as server, server.database("feeds") as address:
                measured[count].append(_measure(place / "home", address.url, count))
            say(f"{count} feeds: {measured[count][-1]}")
    findings = Findings(
        "many-feeds",
        f"`ecom dev` with {' and '.join(map(str, counts))} feeds, median of {repeat}",
        ("seconds", *(f"{count} feeds" for count in counts), "ratio"),
        figures={str(count): runs for count, runs in measured.items()},
    )
    for name in measured[counts[0]][0]:
        medians = [statistics.median(each[name] for each in measured[count]) for count in counts]
        ratio = f"{medians[-1] / medians[0]:.2f}" if medians[0] else ""
        findings.rows.append((name, *(f"{value:.3f}" for value in medians), ratio))
    return findings


def _measure(home: Path, url: str, count: int) -> dict[str, float]:
    declarations = home / "feeds"
    declarations.mkdir(parents=True)
    for number in range(count):
        (declarations / f"feed_{number:02}.yaml").write_text(_DECLARATION.format(number=number))
    dev = Dev(home, url)
    found: dict[str, float] = {}
    begun = time.monotonic()
    with dev.running():
        found["until the first tick"] = time.monotonic() - begun
        wait_for("its assets", lambda: len(dev.graphql(_QUESTIONS["the graph"])["assetNodes"]) > count)
        for name, question in _QUESTIONS.items():
            found[name] = _answered(dev, question)
        wait_for("quiet ticks", lambda: len(dev.ticks()) > _QUIET_TICKS)
        found["a quiet tick"] = statistics.median(map(_lasted, dev.ticks()[:_QUIET_TICKS]))
        found["a tick over one feed's file"], found["one feed's file is loaded after"] = _land(dev, [0])
        found["a tick over a file of each"], found["a file of each is loaded after"] = _land(
            dev, range(count)
        )
        found["the graph, after these"] = _answered(dev, _QUESTIONS["the graph"])
    return found


def _land(dev: Dev, feeds: Sequence[int]) -> tuple[float, float]:
    """Let a file of each of ``feeds`` land: how long the tick lasts that sees them, and how long it is until
    all are loaded."""
    before = len(_launching(dev))
    files = dev.query(_LOADED)[0][0]
    landed = time.time()
    for number in feeds:
        folder = dev.zone.landing / f"feed_{number:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"{before}.csv").write_text(_ROWS)
    wait_for("all are loaded", lambda: dev.query(_LOADED)[0][0] == files + len(feeds))
    loaded = time.time() - landed
    wait_for("the run has ended", dev.idle)
    ticks = _launching(dev)
    return max(_lasted(tick) for tick in ticks[: len(ticks) - before]), loaded


def _launching(dev: Dev) -> list[dict[str, Any]]:
    return [tick for tick in dev.ticks() if tick["runIds"]]


def _answered(dev: Dev, question: str) -> float:
    return statistics.median(_seconds(dev, question) for _ in range(_ASKED_TIMES))


def _seconds(dev: Dev, question: str) -> float:
    begun = time.monotonic()
    dev.graphql(question)
    return time.monotonic() - begun


def _lasted(tick: dict[str, Any]) -> float:
    return float((tick["endTimestamp"] or time.time()) - tick["timestamp"])
