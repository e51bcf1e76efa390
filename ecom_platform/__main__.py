"""``ecom`` and ``python -m ecom_platform``: where the process begins.

Belongs here: what holds before the first slow import. Does not belong here: commands (``cli``).
"""

from __future__ import annotations

import os
import warnings

from ecom_platform import interrupts, output


def main() -> None:
    """The whole process, which always ends in an exit code."""
    output.protect()
    interrupts.listen()
    if os.environ.pop("PYTHONWARNINGS", None):
        # Of another project's tests, say: `error` would end a load for what a library deprecates.
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
    from ecom_platform.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
