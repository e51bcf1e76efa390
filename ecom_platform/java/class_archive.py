"""A class-data archive (AppCDS) for the driver's JVM: half of its start-up is loading classes.

Belongs here: where the archive is, and the JVM options that use it. Does not belong here: building it
(``class_training``), or anything that would fail without it. A JVM ignores an archive that does not
fit it, and a missing one only costs time.

Source: JEP 350 (dynamic archives), JEP 310 (application class-data sharing).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from ecom_platform.java.discovery import Java

# Rows never pass through this JVM, so the optimising compiler and a concurrent collector would
# cost more start-up than they ever give back.
LEAN_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# A JVM that cannot use an archive says so on its standard output unless told not to.
QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")
_SPECIAL = frozenset(" \t'\"\\")
_FOLDER = Path(sys.prefix) / "var" / "ecom_platform"


def java_options(java: Java) -> str:
    """Options of the driver's JVM, with the archive if there is one for this Java."""
    archive = archive_path(java)
    share = [f"-XX:SharedArchiveFile={_with_base(java, archive)}", *QUIET] if archive.is_file() else []
    return option_string([*LEAN_OPTIONS, *share])


def option_string(options: Iterable[str]) -> str:
    """Options as one text that Spark's launcher takes apart again, whatever folder they name."""
    return " ".join(_quoted(option) if _SPECIAL & set(option) else option for option in options)


def _quoted(option: str) -> str:
    escaped = option.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def archive_path(java: Java) -> Path:
    spark = version("pyspark")
    return _FOLDER / f"spark-{spark}-java-{java.version}-{java.source.lower()}.jsa"


def base_path(java: Java) -> Path:
    return archive_path(java).with_suffix(".base.jsa")


def _with_base(java: Java, archive: Path) -> str:
    """A JRE without an archive of its own gets one of ours below the one for Spark."""
    base = base_path(java)
    return f"{base}:{archive}" if base.is_file() else str(archive)
