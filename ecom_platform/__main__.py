"""``ecom`` and ``python -m ecom_platform``: where the process begins.

Belongs here: what holds before the first slow import. Does not belong here: commands (``cli``).
"""

from __future__ import annotations

import contextlib
import os
import resource
import warnings

from ecom_platform.processes import interrupts, output

_OPEN_FILES = 4_096


def main() -> None:
    """The whole process, which always ends in an exit code."""
    output.protect()
    interrupts.listen()
    if os.environ.pop("PYTHONWARNINGS", None):
        # Of another project's tests, say: `error` would end a load for what a library deprecates.
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
    _allow_open_files()
    from ecom_platform.cli import app as cli
    from ecom_platform.shop import commands

    for command in commands.COMMANDS:
        cli.cli.add_command(command)
    cli.main()


def _allow_open_files() -> None:
    """As many as this user may have: shells allow fewer out of habit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
