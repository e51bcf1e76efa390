"""`make torture`: the rounds from the terminal."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from ecom_platform_tests import torture as package
from ecom_platform_tests.torture.campaign import Torture
from ecom_platform_tests.torture.faults import FAULTS, FOLDER
from ecom_platform_tests.torture.ingests import DifferenceError


def main() -> int:
    parser = argparse.ArgumentParser(
        description=package.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS", "50")))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--landing", choices=list(FAULTS), default=FOLDER, help="where files land")
    options = parser.parse_args()
    print(
        f"seed {options.seed}, {options.rounds} rounds of {options.events:,} events in a {options.landing}",
        flush=True,
    )
    folder = Path(tempfile.mkdtemp(prefix="ecom-torture-"))
    torture = Torture(folder, options.seed, options.events, options.landing)
    try:
        with torture:
            torture.run(options.rounds)
    except DifferenceError as error:
        print(f"DIFFERENT\n{error}\nThe evidence is in {folder}.")
        torture.report()
        return 1
    except KeyboardInterrupt:
        print("interrupted; the rounds that were compared:")
        shutil.rmtree(folder, ignore_errors=True)
        torture.report()
        return 130
    shutil.rmtree(folder)
    torture.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
