"""A Java process that never says a word: it is named, waited for only so long, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.java.discovery import find_java
from ecom_platform.settings import load_settings

pytestmark = pytest.mark.usefixtures("starts_programs")

# In a process of its own: where a JVM runs already, none is started. What is printed last is the error,
# and how many Java processes are left.
OPEN_A_SESSION = """
import logging
import psutil
from ecom_platform import waits
from ecom_platform.errors import JavaError
from ecom_platform.settings import load_settings
from ecom_platform.streaming import session

logging.basicConfig(level=logging.INFO, format="%(message)s")
session._JVM_START_SECONDS, waits.SILENT_SECONDS = 5, 0.5
try:
    session.open_session(load_settings())
except JavaError as error:
    print(error.message)
left = 0
for child in psutil.Process().children():
    try:
        left += "SparkSubmit" in " ".join(child.cmdline())
    except psutil.NoSuchProcess:  # ended, and nobody has asked how
        pass
print(left)
"""


def silent_java(home: Path, real: Path) -> Path:
    """A home of a Java that answers what it is asked, and runs Spark without a word."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        "if 'org.apache.spark.deploy.SparkSubmit' in sys.argv:\n    time.sleep(600)\n"
        f"os.execv({str(real)!r}, [{str(real)!r}, *sys.argv[1:]])\n"
    )
    program.chmod(0o755)
    return home


def test_one_that_never_says_a_word(tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    real = find_java(load_settings({**environment, "ECOM_HOME": str(tmp_path / "home")}))
    assert real.home is not None
    home = silent_java(tmp_path / "java", real.home / "bin" / "java")
    done = subprocess.run(
        [sys.executable, "-c", OPEN_A_SESSION],
        env={**environment, "JAVA_HOME": str(home), "ECOM_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    error, left = done.stdout.splitlines()[-2:]
    assert "Spark's Java virtual machine did not start" in error
    assert "Waiting for Spark's Java process to start; for 5 s at most." in done.stderr
    assert left == "0"
