"""`ecom ingest` where files land in a bucket: the command as a person runs it, against a real S3 server."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.store.connection import Database
from ecom_platform_tests.acceptance.ui import clean_environment
from ecom_platform_tests.landing import csv_file, line, rows_of, stored_rows
from ecom_platform_tests.s3_server import CREDENTIALS, S3Server

pytestmark = pytest.mark.usefixtures("starts_spark")

ECOM = [sys.executable, "-m", "ecom_platform"]
PATIENCE_SECONDS = 300


class Platform:
    def __init__(self, s3: S3Server, database: Database, folder: Path) -> None:
        self.folder, self.prefix = folder, f"of/{uuid.uuid4()}"
        self.environment = clean_environment() | {
            **CREDENTIALS,
            "ECOM_HOME": str(folder / "home"),
            "ECOM_POSTGRES_URL": database.url,
            "ECOM_LANDING_URL": f"s3://{s3.bucket}/{self.prefix}",
            "ECOM_LANDING_ENDPOINT": s3.endpoint,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ECOM, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture
def platform(s3: S3Server, database: Database, tmp_path: Path) -> Platform:
    return Platform(s3, database, tmp_path)


def test_what_lies_in_a_bucket_is_loaded_once_and_put_away(
    platform: Platform, s3: S3Server, database: Database, tmp_path: Path
) -> None:
    for number in range(3):
        key = f"{platform.prefix}/user_events/{number}.csv"
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=csv_file(*(line() for _ in range(1_000))))
    s3.client.put_object(Bucket=s3.bucket, Key="of/others/stays.csv", Body=csv_file(line()))
    (tmp_path / "named.csv").write_bytes(csv_file(*(line() for _ in range(1_000))))
    done = platform.run("ingest", "--json", "--feed", "user_events", str(tmp_path / "named.csv"))
    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer["brought_in"] == ["named.csv"]
    assert answer["files"]["loaded"] == 4
    assert answer["rows"] == rows_of(4_000, inserted=4_000)
    assert answer["checks"]["failed"] == []
    with database.open() as connection:
        assert stored_rows(connection) == 4_000
    assert s3.keys(s3.bucket, f"{platform.prefix}/user_events/") == []
    assert len(s3.keys(s3.bucket, f"{platform.prefix}/.ecom/archive/")) == 4
    assert s3.keys(s3.bucket, "of/others/") == ["of/others/stays.csv"]
    # The landing folder of the home is not made, and the secret is nowhere.
    assert not (tmp_path / "home" / "landing").exists()
    secret = CREDENTIALS["AWS_SECRET_ACCESS_KEY"].encode()
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path for path in files if secret in path.read_bytes()] == []
    assert secret.decode() not in done.stdout + done.stderr


def test_the_main_job_runs_on_a_bucket(platform: Platform, s3: S3Server, database: Database) -> None:
    platform.environment |= {"ECOM_SHOP": "on", "ECOM_SPARK_DRIVER_MEMORY": "700m"}
    done = platform.run("run", "--json", "--events", "5000", "--seed", "7")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["rows"] == rows_of(5_000, inserted=5_000)
    assert answer["files"] == {
        "landed": 5,
        "loaded": 5,
        "quarantined": 0,
        "unsettled": 0,
        "waiting": {},
        "refused": {},
    }
    assert (answer["success"], answer["checks"]["failed"]) == (True, [])
    keys = [key.removeprefix(f"{platform.prefix}/") for key in s3.keys(s3.bucket, platform.prefix)]
    assert sum(key.startswith(".ecom/archive/") for key in keys) == 5
    assert [key for key in keys if not key.startswith(".ecom/")] == []
    assert not (platform.folder / "home" / "landing").exists()
    with database.open() as connection:
        assert stored_rows(connection) == 5_000
    # And out again: one lies at the top by now, and one of somebody else's.
    name = next(key for key in keys if key.startswith(".ecom/archive/")).rpartition("-")[2]
    for key in (name, "own.csv"):
        content = csv_file(line())
        s3.client.put_object(Bucket=s3.bucket, Key=f"{platform.prefix}/{key}", Body=content)
    asked = platform.run("shop", "remove", "--json")
    assert (asked.returncode, json.loads(asked.stdout)["files_on_disk"]) == (2, 6)
    removed = platform.run("shop", "remove", "--yes", "--json")
    assert (removed.returncode, json.loads(removed.stdout)["files_on_disk"]) == (0, 6), removed.stderr
    left = [key.removeprefix(f"{platform.prefix}/") for key in s3.keys(s3.bucket, platform.prefix)]
    assert sorted(left) == [".ecom/highest-number", ".ecom/zone-id", "own.csv"]
    with database.open() as connection:
        assert stored_rows(connection) == 0


def test_what_the_person_on_call_does(
    platform: Platform, s3: S3Server, database: Database, tmp_path: Path
) -> None:
    """As with a folder, of two feeds: the same keys and exit codes."""
    feeds = tmp_path / "home" / "feeds"
    feeds.mkdir(parents=True)
    (feeds / "prices.yaml").write_text("columns: {sku: text, price: 'numeric(8,2)'}\nprimary_key: sku\n")
    platform.environment |= {"ECOM_LANDING_URL": f"s3://{s3.bucket}/on/call", "ECOM_FEEDS_DIR": str(feeds)}

    def answer(*arguments: str, code: int = 0) -> dict[str, Any]:
        done = platform.run(*arguments, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    s3.client.put_object(Bucket=s3.bucket, Key="on/call/a.csv", Body=csv_file(line(), line()))
    # Few enough are refused that nothing is red.
    rows = ["sku,price", "x,1.00", "y,dear", *(f"z{number},3.00" for number in range(39))]
    s3.client.put_object(Bucket=s3.bucket, Key="on/call/prices/p.csv", Body="\n".join(rows).encode())
    assert answer("status")["waiting"]["files"] == 2
    assert answer("ingest")["files"]["loaded"] == 2
    assert answer("trace", "prices/p.csv:4")["facts"][0]["stored"]
    assert answer("rejects", "replay")["verdicts"] == {"still rejected": 1}
    with database.transaction() as connection:
        connection.execute("DELETE FROM prices")
    again = answer("reload", "prices/p.csv", "a.csv")
    assert sorted(again["requeued"]) == ["a.csv", "prices/p.csv"]
    assert (again["rows"]["inserted"], again["rows"]["duplicate"]) == (40, 2)
    (gone,) = answer("unload", "prices/p.csv")["feeds"]
    assert gone["files"][0]["path"].startswith(f"s3://{s3.bucket}/on/call/.ecom/unloaded/prices/")
    assert answer("trace", "never.csv", code=1)["known"] is False
    assert answer("status")["waiting"]["files"] == 0


def test_credentials_are_not_in_the_configuration_of_spark_or_hadoop(platform: Platform) -> None:
    code = """
from ecom_platform.settings import load_settings
from ecom_platform.streaming.session import close_session, open_session
session = open_session(load_settings())
entries = [*map(str, session.sparkContext.getConf().getAll())]
of_hadoop = session.sparkContext._jsc.hadoopConfiguration().iterator()
while of_hadoop.hasNext():
    entries.append(str(of_hadoop.next().getValue()))
assert len(entries) > 100
print([entry for entry in entries if "%s" in entry])
close_session()
"""
    done = subprocess.run(
        [sys.executable, "-c", code % CREDENTIALS["AWS_SECRET_ACCESS_KEY"]],
        cwd=platform.folder,
        env=platform.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_feed_by_another_name_and_one_that_is_taken_out(platform: Platform, s3: S3Server) -> None:
    feeds = platform.folder / "feeds"
    feeds.mkdir()
    (feeds / "prices.yaml").write_text("columns: {sku: text, price: 'numeric(8,2)'}\nprimary_key: sku\n")
    platform.environment["ECOM_FEEDS_DIR"] = str(feeds)
    key = f"{platform.prefix}/prices/late.csv"
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"sku,price\nx,1.00\n")
    renamed = platform.run("feeds", "rename", "prices", "costs")
    assert renamed.returncode == 0, renamed.stderr
    assert f"s3://{s3.bucket}/{platform.prefix}/costs/" in renamed.stdout
    landed = [name.removeprefix(platform.prefix) for name in s3.keys(s3.bucket, platform.prefix)]
    assert [name for name in landed if not name.startswith("/.ecom/")] == ["/costs/late.csv"]
    asked = platform.run("feeds", "remove", "costs")
    assert asked.returncode == 2
    assert (feeds / "costs.yaml").exists()
    removed = platform.run("feeds", "remove", "costs", "--yes", "--json")
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout)["kept"] == (f"s3://{s3.bucket}/{platform.prefix}/.ecom/unloaded/costs/")
    assert not (platform.folder / "home" / "landing").exists()
