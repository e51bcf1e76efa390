"""Building the class-data archive: a small stream whose JVM writes down what it has loaded.

Belongs here: what `make setup` runs once (``python -m ecom_platform.streaming.class_training``). Does
not belong here: using the archive (``class_archive``).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from ecom_platform.java.class_archive import (
    LEAN_OPTIONS,
    QUIET,
    archive_path,
    base_path,
    option_string,
)
from ecom_platform.java.discovery import Java, find_java, java_environment
from ecom_platform.settings import Settings, load_settings, read_environment
from ecom_platform.streaming.paths import hadoop_path
from ecom_platform.streaming.session import close_session, open_session

log = logging.getLogger(__name__)

_MODULE = "ecom_platform.streaming.class_training"


def build(settings: Settings) -> Path | None:
    """Make the archive for the Java that would be used now; ``None`` if that did not work."""
    java = find_java(settings)
    archive = archive_path(java)
    if archive.is_file():
        return archive
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        _dump_base(java)
        # A process of its own: the archive is written when its JVM ends.
        subprocess.run([sys.executable, "-m", _MODULE, "train", str(archive)], check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("no class-data archive: %s; Spark starts without it, more slowly", error)
        return None
    return archive if archive.is_file() else None


def _dump_base(java: Java) -> None:
    if (java.home / "lib" / "server" / "classes.jsa").is_file() or base_path(java).is_file():
        return
    command: list[Path | str] = [
        java.home / "bin" / "java",
        "-Xshare:dump",
        f"-XX:SharedArchiveFile={base_path(java)}",
        *LEAN_OPTIONS,
    ]
    subprocess.run(
        command,
        check=True,
        timeout=300,
        env=java_environment(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _train(archive: Path) -> None:
    """Use what a run uses, then end the JVM, which writes what it has loaded."""
    with tempfile.TemporaryDirectory(prefix="ecom-train-") as folder:
        settings = load_settings({**_environment(), "ECOM_HOME": folder})
        java = find_java(settings)
        partial = archive.with_suffix(".partial")
        options = [*LEAN_OPTIONS, f"-XX:ArchiveClassesAtExit={partial}", *QUIET]
        if base_path(java).is_file():
            options.append(f"-XX:SharedArchiveFile={base_path(java)}")
        session = open_session(settings, java_options=option_string(options))
        _stream_something(session, Path(folder))
        close_session()
        partial.rename(archive)


def _environment() -> dict[str, str]:
    return {name: value for name, value in read_environment().items() if not name.startswith("ECOM_")}


def _stream_something(session: SparkSession, folder: Path) -> None:
    units = folder / "units"
    units.mkdir()
    for number in range(3):
        (units / f"{number}.json").write_text("[]", encoding="utf-8")

    def process(batch: DataFrame, _: int) -> None:
        batch.rdd.map(lambda row: len(row[0])).collect()

    source = session.readStream.option("maxFilesPerTrigger", 2).text(
        hadoop_path(units, glob=True), wholetext=True
    )
    query = source.writeStream.foreachBatch(process).trigger(availableNow=True)
    query.option("checkpointLocation", hadoop_path(folder / "checkpoint")).start().awaitTermination()


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        _train(Path(sys.argv[2]))
    else:
        build(load_settings())
