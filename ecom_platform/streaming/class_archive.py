"""A class-data archive (AppCDS) for the driver's JVM: half of its start-up is loading classes.

Belongs here: where the archive is, the JVM options that use it, and building it once at set-up.
Does not belong here: anything that would fail without it. A JVM ignores an archive that does not
fit it, and a missing one only costs time.

Source: JEP 350 (dynamic archives), JEP 310 (application class-data sharing).
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import pyspark
from pyspark.sql import DataFrame

from ecom_platform.settings import Settings, load_settings
from ecom_platform.streaming.java import Java, find_java

log = logging.getLogger(__name__)

# Rows never pass through this JVM, so the optimising compiler and a concurrent collector would
# cost more start-up than they ever give back.
LEAN_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# A JVM that cannot use an archive says so on its standard output unless told not to.
_QUIET = ("-Xlog:cds=off", "-Xlog:cds+dynamic=off")
_FOLDER = Path(sys.prefix) / "var" / "ecom_platform"
_MODULE = "ecom_platform.streaming.class_archive"


def java_options(java: Java) -> str:
    """Options of the driver's JVM, with the archive if there is one for this Java."""
    archive = _archive(java)
    share = [f"-XX:SharedArchiveFile={_with_base(java, archive)}", *_QUIET] if archive.is_file() else []
    return " ".join([*LEAN_OPTIONS, *share])


def _archive(java: Java) -> Path:
    return _FOLDER / f"spark-{pyspark.__version__}-java-{java.version}-{java.source.lower()}.jsa"


def _base(java: Java) -> Path:
    return _archive(java).with_suffix(".base.jsa")


def _with_base(java: Java, archive: Path) -> str:
    """A JRE without an archive of its own gets one of ours below the one for Spark."""
    base = _base(java)
    return f"{base}:{archive}" if base.is_file() else str(archive)


def build(settings: Settings) -> Path | None:
    """Make the archive for the Java that would be used now; ``None`` if that did not work."""
    java = find_java(settings)
    archive = _archive(java)
    if archive.is_file():
        return archive
    try:
        _FOLDER.mkdir(parents=True, exist_ok=True)
        _dump_base(java)
        # A process of its own: the archive is written when its JVM ends.
        subprocess.run([sys.executable, "-m", _MODULE, "train", str(archive)], check=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("no class-data archive: %s; Spark starts without it, more slowly", error)
        return None
    return archive if archive.is_file() else None


def _dump_base(java: Java) -> None:
    if (java.home / "lib" / "server" / "classes.jsa").is_file() or _base(java).is_file():
        return
    command: list[Path | str] = [
        java.home / "bin" / "java",
        "-Xshare:dump",
        f"-XX:SharedArchiveFile={_base(java)}",
        *LEAN_OPTIONS,
    ]
    subprocess.run(command, check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _train(archive: Path) -> None:
    """Use what a run uses, then end the JVM, which writes what it has loaded."""
    from ecom_platform.streaming.session import close_session, open_session

    with tempfile.TemporaryDirectory(prefix="ecom-train-") as folder:
        settings = load_settings({**_environment(), "ECOM_HOME": folder})
        java = find_java(settings)
        partial = archive.with_suffix(".partial")
        options = [*LEAN_OPTIONS, f"-XX:ArchiveClassesAtExit={partial}", *_QUIET]
        if _base(java).is_file():
            options.append(f"-XX:SharedArchiveFile={_base(java)}")
        session = open_session(settings, java_options=" ".join(options))
        _stream_something(session, Path(folder))
        close_session()
        partial.rename(archive)


def _environment() -> dict[str, str]:
    from ecom_platform.settings import read_environment

    return {name: value for name, value in read_environment().items() if not name.startswith("ECOM_")}


def _stream_something(session: pyspark.sql.SparkSession, folder: Path) -> None:
    units = folder / "units"
    units.mkdir()
    for number in range(3):
        (units / f"{number}.json").write_text("[]", encoding="utf-8")

    def process(batch: DataFrame, _: int) -> None:
        batch.rdd.map(lambda row: len(row[0])).collect()

    source = session.readStream.option("maxFilesPerTrigger", 2).text(units.as_uri(), wholetext=True)
    query = source.writeStream.foreachBatch(process).trigger(availableNow=True)
    query.option("checkpointLocation", (folder / "checkpoint").as_uri()).start().awaitTermination()


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        _train(Path(sys.argv[2]))
    else:
        build(load_settings())
