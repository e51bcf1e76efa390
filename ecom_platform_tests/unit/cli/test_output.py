"""Streams that take what is printed, whoever reads it: real pipes, a real full device, in processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_BEGIN = "from ecom_platform.processes import output; output.protect()\n"
_FULL = Path("/dev/full")


def run(program: str, **streams: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _BEGIN + program], text=True, timeout=240, check=False, **streams
    )


@pytest.mark.skipif(not _FULL.exists(), reason="no /dev/full on this system")
def test_a_full_disk_takes_neither_the_work_nor_its_exit_code() -> None:
    with _FULL.open("w") as full:
        done = run(
            "import sys, logging\n"
            "print('x' * 100_000, flush=True); print('y', file=sys.stderr); logging.warning('z')\n"
            "assert output.undelivered().strerror == 'No space left on device'\n"
            "sys.exit(7)",
            stdout=full,
            stderr=full,
        )
    assert done.returncode == 7


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(
        "import sys\n"
        "print('x' * 100_000); print('y', file=sys.stderr); output.print_json({'a': 1})\n"
        "assert output.undelivered() is None",
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    assert done.returncode == 0


def test_a_display_that_nobody_reads_does_not_hold_the_work_up() -> None:
    reader, writer = os.pipe()
    try:
        done = run("import sys\nfor _ in range(200): print('x' * 5_000, file=sys.stderr)", stderr=writer)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 0


def test_closed_descriptors_are_not_given_to_files(tmp_path: Path) -> None:
    file = tmp_path / "database"
    program = (
        f"import os, sys\nfile = open({str(file)!r}, 'w')\nassert file.fileno() > 2\n"
        "print('out'); print('err', file=sys.stderr); file.write('ours')"
    )
    command = [sys.executable, "-c", _BEGIN + program]
    shell = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command]
    assert subprocess.run(shell, timeout=240, check=False).returncode == 0
    assert file.read_text() == "ours"


def test_any_name_can_be_printed() -> None:
    done = run(
        "print('caf\\udce9 \\u202f')", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (done.returncode, done.stdout) == (0, "caf\\udce9 \\u202f\n")


def test_one_json_object_at_most() -> None:
    done = run("output.print_json({'n': 1}); output.print_json({'n': 2})", stdout=subprocess.PIPE)
    assert json.loads(done.stdout) == {"n": 1}
