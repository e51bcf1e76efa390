"""`make mutants`: every mutant of the catalogue must be killed by a test that is named with it.

    python -m ecom_platform_tests.mutants [--only WORDS] [--list] [--jobs N]

Ends with 0 if all were killed, else with 1.
"""

from __future__ import annotations

import argparse
import os
import queue
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ecom_platform_tests.mutants.catalogue import MUTANTS
from ecom_platform_tests.mutants.copies import copy_checkout, require_own_code
from ecom_platform_tests.mutants.mutant import Mutant
from ecom_platform_tests.mutants.trial import Result, Run, Verdict, run_tests, try_mutant

ROOT = Path(__file__).parents[2]
GUARANTEES = "docs/guarantees.md"
# The code as it is must pass all named tests, which takes minutes in one go.
_ALL_SECONDS = 3_600.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    mutants = [mutant for mutant in MUTANTS if options.only.lower() in mutant.name.lower()]
    if options.list:
        _print_list(mutants)
        return 0
    if not mutants:
        print(f"no mutant's name has {options.only!r} in it", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        copies = [Path(folder) / str(number) for number in range(min(options.jobs, len(mutants)))]
        for copy in copies:
            copy_checkout(ROOT, copy)
            require_own_code(copy)
        runs = _unmutated(copies, mutants)
        failed = [run for run in runs if run.code != 0]
        if failed:
            print("\n".join(run.output for run in failed))
            print("The code without any mutant does not pass the tests that are to kill mutants.")
            return 1
        results = _try_all(copies, mutants, max(run.seconds for run in runs))
    promises = (ROOT / GUARANTEES).read_text(encoding="utf-8")
    _print_table(results, promises)
    return 0 if all(_is_right(result, promises) for result in results) else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ecom_platform_tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="mutants with these words in their names")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at a time")
    return parser.parse_args(arguments)


def _unmutated(copies: Sequence[Path], mutants: Sequence[Mutant]) -> list[Run]:
    """What every named test says to the code as it is, shared out by files."""
    by_file: dict[str, list[str]] = {}
    for test in dict.fromkeys(test for mutant in mutants for test in mutant.tests):
        by_file.setdefault(test.partition("::")[0], []).append(test)
    shares: list[list[str]] = [[] for _ in copies]
    for tests in sorted(by_file.values(), key=len, reverse=True):
        min(shares, key=len).extend(tests)
    _say(f"{sum(map(len, shares))} tests on the code as it is")

    def run(number: int) -> Run | None:
        if not shares[number]:
            return None
        return run_tests(copies[number], shares[number], limit_seconds=_ALL_SECONDS, at_first_failure=False)

    with ThreadPoolExecutor(len(copies)) as threads:
        return [run for run in threads.map(run, range(len(copies))) if run is not None]


def _try_all(copies: Sequence[Path], mutants: Sequence[Mutant], patience_seconds: float) -> list[Result]:
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> Result:
        copy = free.get()
        try:
            result = try_mutant(mutant, copy, patience_seconds)
        finally:
            free.put(copy)
        _say(f"{result.verdict:<9} {mutant.name} ({result.seconds:.0f} s)")
        return result

    with ThreadPoolExecutor(len(copies)) as threads:
        return list(threads.map(attempt, mutants))


def _is_right(result: Result, promises: str) -> bool:
    return result.verdict is Verdict.KILLED and _is_promised(result.mutant, promises)


def _is_promised(mutant: Mutant, promises: str) -> bool:
    return f"\n| {mutant.promise} |" in promises


def _print_list(mutants: Sequence[Mutant]) -> None:
    for mutant in mutants:
        print(f"{mutant.name}\n    {mutant.file}\n    {' '.join(mutant.tests)}")


def _print_table(results: Sequence[Result], promises: str) -> None:
    """What became of each, by the promise that it breaks; then what the runs said that should have failed."""
    for promise in dict.fromkeys(result.mutant.promise for result in results):
        print(f"\n{promise}")
        for result in results:
            if result.mutant.promise == promise:
                print(f"  {result.verdict:<9} {result.mutant.name:<72} {result.by}")
        if not any(_is_promised(r.mutant, promises) for r in results if r.mutant.promise == promise):
            print(f"  STALE     this promise is not in {GUARANTEES}")
    wrong = [result for result in results if not _is_right(result, promises)]
    for result in wrong:
        print(f"\n{result.verdict}: {result.mutant.name} ({result.mutant.file})\n{result.output[-4_000:]}")
    promised = len({result.mutant.promise for result in results})
    killed = len(results) - len(wrong)
    print(f"\n{killed} of {len(results)} mutants of {promised} promises were killed.")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
