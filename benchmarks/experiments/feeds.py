"""A feed without a key of its own: rows known by their content or their place, in files of each format."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from benchmarks import visits
from benchmarks.paths.path import PathFailedError
from benchmarks.paths.platform import ingest
from benchmarks.results import Findings
from benchmarks.server import running

IDENTITIES = ("content", "position")
# Beside them, where the same key comes again and the newer row stays.
UPDATE = "update"
_KNOWN_BY = {
    **{identity: f"identity: {identity}\n" for identity in IDENTITIES},
    UPDATE: "primary_key: [user_id, product_id]\non_conflict: update\n",
}
FORMATS = ("csv", "jsonl", "parquet")

_STREAM = """
SELECT
    sum(rows)::bigint,
    extract(epoch FROM max(finished_at) - min(started_at))::float8,
    max(worker_peak_bytes)::bigint
FROM stream_batches
"""


def run(
    folder: Path,
    say: Callable[[str], None],
    *,
    rows: int,
    rows_per_file: int,
    copies: int,
    repeat: int,
    identities: Sequence[str] = IDENTITIES,
    formats: Sequence[str] = ("csv",),
) -> Findings:
    """``rows`` rows, each ``copies`` times in its file, loaded in turn from each of ``formats`` by each of
    ``identities``."""
    data = folder / "visits"
    shutil.rmtree(data, ignore_errors=True)
    started = time.perf_counter()
    paths = visits.write(data, rows, rows_per_file, copies=copies)
    written = rows / (time.perf_counter() - started)
    say(f"{rows:,} rows in {len(paths)} files, written at {written:,.0f} rows/s")
    files = {kind: visits.in_format(paths, kind, folder / f"visits-{kind}") for kind in formats}
    ways = {f"{kind}, {identity}": (kind, identity) for identity in identities for kind in formats}
    rates: dict[str, list[float]] = {way: [] for way in ways}
    peaks: dict[str, int] = dict.fromkeys(rates, 0)
    with running(folder / "server") as server:
        for number in range(repeat):
            for way, (kind, identity) in ways.items():
                with server.database(f"visits_{kind}_{identity}_{number}") as address:
                    home = _home(folder, files[kind], kind, identity)
                    ingest(address, home)
                    with psycopg.connect(address.url) as connection:
                        ((found, seconds, peak),) = connection.execute(_STREAM.encode()).fetchall()
                        ((stored,),) = connection.execute("SELECT count(*) FROM visits").fetchall()
                if found != rows or (stored != rows and identity != UPDATE):
                    raise PathFailedError(f"{found} of {rows} rows were read, {stored} are stored")
                rates[way].append(rows / seconds)
                peaks[way] = max(peaks[way], peak)
                say(f"{way}: {rates[way][-1]:,.0f} rows/s, {stored:,} stored, worker {peak / 2**20:,.0f} MiB")
    for made in (data, *(folder / f"visits-{kind}" for kind in formats)):
        shutil.rmtree(made, ignore_errors=True)
    findings = Findings(
        "feeds",
        f"{rows:,} rows of nine columns in files of {rows_per_file:,}, each {copies}x; median of {repeat}",
        ("format, known by", "rows/s of the stream", "one worker's peak"),
        figures={"rates": rates, "peaks": peaks, "written": written},
    )
    findings.rows = [
        (name, f"{statistics.median(found):,.0f}", f"{peaks[name] / 2**20:,.0f} MiB")
        for name, found in rates.items()
    ]
    findings.rows.append(("(generator)", f"{written:,.0f}", ""))
    return findings


def _home(folder: Path, paths: list[Path], kind: str, identity: str) -> Path:
    """A home with the declaration, and links of the files in the landing folder."""
    home = folder / "scratch" / "home"
    shutil.rmtree(home, ignore_errors=True)
    (home / "feeds").mkdir(parents=True)
    (home / "feeds" / "visits.yaml").write_text(f"format: {kind}\n{visits.DECLARATION}{_KNOWN_BY[identity]}")
    landing = home / "landing" / "visits"
    landing.mkdir(parents=True)
    for path in paths:
        os.link(path, landing / path.name)
    return home
