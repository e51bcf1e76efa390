"""What is not taken from the landing folder is named, and keeps nothing else from being loaded."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from ecom_platform.cli.console import print_summary
from ecom_platform.landing.folder.zone import LandingZone
from ecom_platform.orchestration.execution import RunSummary
from ecom_platform.settings import Settings
from ecom_platform.store.connection import Database
from ecom_platform.streaming.ingest import ingest


def no_session() -> SparkSession:
    raise AssertionError("Spark was started for nothing")


def test_an_ingest_names_what_it_did_not_take(
    settings: Settings, database: Database, zone: LandingZone, capsys: pytest.CaptureFixture[str]
) -> None:
    (zone.landing / "link.csv").symlink_to("/etc/hostname")
    (zone.landing / "folder.csv").mkdir()
    for name in ("_a.csv", ".a.csv", "b.csv.TMP", "c.FilePart", "d.crdownload", "e.part", "odd\x1b[31m.csv"):
        (zone.landing / name).touch()
    refused = ingest(settings, database, no_session, str(uuid.uuid4())).refused
    assert refused == {
        "link.csv": "a symbolic link",
        "folder.csv": f"a folder, and no feed is declared by its name in {Path('feeds').absolute()}",
        "odd\\x1b[31m.csv": "a name with control characters",
        "_a.csv": "unfinished, by its name (it begins with _)",
        ".a.csv": "unfinished, by its name (it begins with .)",
        "b.csv.TMP": "unfinished, by its name (it ends in .tmp)",
        "c.FilePart": "unfinished, by its name (it ends in .filepart)",
        "d.crdownload": "unfinished, by its name (it ends in .crdownload)",
        "e.part": "unfinished, by its name (it ends in .part)",
    }
    summary = RunSummary("run", {"user_events": {"refused": refused}}, [], 1.0, None)
    assert json.loads(json.dumps(summary.as_json()))["files"]["refused"] == refused
    print_summary(summary, settings)
    said = capsys.readouterr().err
    assert "9 refused" in said
    for name, reason in refused.items():
        assert f"Not taken: {name} is {reason}" in said


def test_of_many_the_first_are_shown(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    refused = {f"{number}.csv": "a folder" for number in range(25)}
    print_summary(RunSummary("run", {"user_events": {"refused": refused}}, [], 1.0, None), settings)
    said = capsys.readouterr().err
    assert said.count("is a folder") == 20
    assert "5 more" in said
