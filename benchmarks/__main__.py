"""``python -m benchmarks``: arguments, and where results go.

    python -m benchmarks compare --rows 5000000 --repeat 3 --paths ecom,copy,dlt
    python -m benchmarks growth --sizes 1000000,3000000,10000000,30000000

Belongs here: arguments. Does not belong here: what is measured (``experiments``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.experiments import (
    bucket,
    compare,
    feeds,
    generation,
    growth,
    main_job,
    many_feeds,
    small_files,
    startup,
)
from benchmarks.results import Findings, write

FOLDER = Path(".benchmarks")
_FEWER_FILES = 100_000


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the platform.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="data, scratch and results")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, about: str, repeat: int = 3) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about)
        added.add_argument("--repeat", type=int, default=repeat)
        return added

    comparison = command("compare", "ours beside other ways to load the same files")
    comparison.add_argument("--rows", type=int, default=1_000_000)
    comparison.add_argument("--rows-per-file", type=int, default=_FEWER_FILES)
    comparison.add_argument("--paths", help="comma-separated; default: all")
    growing = command("growth", "one table, loaded up to each size", repeat=1)
    growing.add_argument("--sizes", default="1000000,3000000,10000000,30000000")
    growing.add_argument("--rows-per-file", type=int, default=_FEWER_FILES)
    small = command("small-files", "very many small files, and a load after them")
    small.add_argument("--files", type=int, default=100_000)
    small.add_argument("--rows-per-file", type=int, default=10)
    command("generate", "the generator beside Faker row by row").add_argument(
        "--rows", type=int, default=1_000_000
    )
    known = command("feeds", "rows without a key: by their content, by their place")
    known.add_argument("--rows", type=int, default=10_000_000)
    known.add_argument("--rows-per-file", type=int, default=500_000)
    known.add_argument("--copies", type=int, default=1, help="how often each row occurs in its file")
    known.add_argument(
        "--identity",
        nargs="+",
        choices=[*feeds.IDENTITIES, feeds.UPDATE],
        default=feeds.IDENTITIES,
        help="by what rows are known; several: in turn",
    )
    known.add_argument(
        "--format",
        nargs="+",
        choices=feeds.FORMATS,
        default=["csv"],
        help="what the files are; several: in turn",
    )
    stored = command("bucket", "the same files from a folder and from a bucket")
    stored.add_argument("--rows", type=int, default=5_000_000)
    stored.add_argument("--files", type=int, default=50)
    command("many-feeds", "`ecom dev` with one feed and with many").add_argument(
        "--counts", default="1,50", help="how many feeds are declared"
    )
    command("startup", "Spark's start with and without the class-data archive")
    main = command("main", "30,000 events, the whole main job")
    main.add_argument("--seed", action="store_true", help="the old pipeline's setting too: five minutes")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _experiment(options: argparse.Namespace) -> Findings:
    folder: Path = options.folder.absolute()
    experiments: dict[str, Callable[[], Findings]] = {
        "compare": lambda: compare.run(
            folder,
            _say,
            rows=options.rows,
            rows_per_file=options.rows_per_file,
            repeat=options.repeat,
            paths=compare.choose(options.paths),
        ),
        "growth": lambda: growth.run(
            folder,
            _say,
            sizes=[int(size) for size in options.sizes.split(",")],
            rows_per_file=options.rows_per_file,
        ),
        "small-files": lambda: small_files.run(
            folder, _say, files=options.files, rows_per_file=options.rows_per_file, repeat=options.repeat
        ),
        "generate": lambda: generation.run(folder, _say, rows=options.rows, repeat=options.repeat),
        "feeds": lambda: feeds.run(
            folder,
            _say,
            rows=options.rows,
            rows_per_file=options.rows_per_file,
            copies=options.copies,
            repeat=options.repeat,
            identities=options.identity,
            formats=options.format,
        ),
        "bucket": lambda: bucket.run(
            folder, _say, rows=options.rows, files=options.files, repeat=options.repeat
        ),
        "many-feeds": lambda: many_feeds.run(
            folder, _say, counts=[int(count) for count in options.counts.split(",")], repeat=options.repeat
        ),
        "startup": lambda: startup.run(folder, _say, repeat=options.repeat),
        "main": lambda: main_job.run(folder, _say, repeat=options.repeat, seed=options.seed),
    }
    return experiments[options.command]()


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    try:
        findings = _experiment(options)
    except ValueError as error:
        parser.error(str(error))
    results = options.folder / "results"
    write(findings, results)
    print(findings.markdown())
    _say(f"JSON and plots are in {results}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
