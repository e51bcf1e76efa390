"""A Java process that never says a word: it is named, waited for only so long, and ended."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ecom_platform import waits
from ecom_platform.errors import JavaError
from ecom_platform.java.discovery import find_java
from ecom_platform.settings import load_settings
from ecom_platform.streaming import session

pytestmark = [
    pytest.mark.usefixtures("starts_programs"),
    # PySpark leaves the pipe to the process that it gave up.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def environment_put_back() -> Iterator[None]:
    """What a session sets for its JVM is none of the other tests' affair."""
    before = dict(os.environ)
    yield
    gc.collect()
    os.environ.clear()
    os.environ.update(before)


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


def command_of(process: psutil.Process) -> str:
    """Its command line; nothing of one that has ended, whether anybody has asked how or not."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def test_one_that_never_says_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    real = find_java(load_settings({**environment, "ECOM_HOME": str(tmp_path / "home")}))
    assert real.home is not None
    home = silent_java(tmp_path / "java", real.home / "bin" / "java")
    settings = load_settings({**environment, "JAVA_HOME": str(home), "ECOM_HOME": str(tmp_path / "home")})
    monkeypatch.setattr(session, "_JVM_START_SECONDS", 5)
    monkeypatch.setattr(waits, "SILENT_SECONDS", 0.5)
    with pytest.raises(JavaError, match="Spark's Java virtual machine did not start"):
        session.open_session(settings)
    assert "Waiting for Spark's Java process to start; for 5 s at most." in caplog.text
    assert not [child for child in psutil.Process().children() if "SparkSubmit" in command_of(child)]
