"""What a shell that was set up for another Spark does to ours: nothing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.errors import SettingsError
from ecom_platform.java.class_archive import option_string
from ecom_platform.settings import load_settings
from ecom_platform.streaming.environment import isolate, not_taken_over

FOREIGN = {
    "PYSPARK_SUBMIT_ARGS": "--master local[7] --packages a:b:c nonsense",
    "PYSPARK_GATEWAY_PORT": "1",
    "PYSPARK_GATEWAY_SECRET": "x",
    "PYSPARK_PIN_THREAD": "false",
    "SPARK_REMOTE": "sc://localhost:15002",
    "SPARK_API_MODE": "connect",
    "SPARK_CONNECT_MODE_ENABLED": "1",
    "SPARK_HOME": "/nowhere",
    "SPARK_LOCAL_DIRS": "/proc/nowhere",
    "SPARK_SUBMIT_OPTS": "-Xbad",
    "SPARK_LAUNCHER_OPTS": "-Xbad",
    "SPARK_TESTING": "1",
    "HADOOP_CONF_DIR": "/nowhere",
    "JDK_JAVA_OPTIONS": "-Xbad",
    "JAVA_TOOL_OPTIONS": "-XX:+Bad",
    "_JAVA_OPTIONS": "-Xmx1m",
    "CLASSPATH": "/nowhere",
    "CONTAINER_ID": "1",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_nothing_of_it_is_left_and_all_of_it_is_named(tmp_path: Path) -> None:
    settings = load_settings({"ECOM_HOME": str(tmp_path)})
    os.environ |= FOREIGN
    assert set(FOREIGN) <= set(not_taken_over(os.environ, settings))
    isolate(settings, tmp_path)
    assert not set(FOREIGN) & set(os.environ)
    assert os.environ["PYSPARK_PYTHON"] == sys.executable
    assert os.environ["JAVA_HOME"] == str(tmp_path)


def test_what_is_meant_for_this_platform_is_taken(tmp_path: Path) -> None:
    os.environ["SPARK_CONF_DIR"] = "/of/another"
    isolate(load_settings({"ECOM_HOME": str(tmp_path), "ECOM_SPARK_CONF_DIR": str(tmp_path)}), tmp_path)
    assert os.environ["SPARK_CONF_DIR"] == str(tmp_path)
    with pytest.raises(SettingsError, match="ECOM_SPARK_CONF_DIR is '/no/where', which is no folder"):
        load_settings({"ECOM_SPARK_CONF_DIR": "/no/where"})


def test_a_cluster_is_described_as_its_own_tools_expect(tmp_path: Path) -> None:
    settings = load_settings({"ECOM_SPARK_MASTER": "yarn", "ECOM_POSTGRES_URL": "postgresql://h/d"})
    os.environ |= {**FOREIGN, "SPARK_CONF_DIR": "/of/ours"}
    isolate(settings, tmp_path)
    assert (os.environ["HADOOP_CONF_DIR"], os.environ["SPARK_CONF_DIR"]) == ("/nowhere", "/of/ours")
    assert "PYSPARK_SUBMIT_ARGS" not in os.environ


def test_modules_are_found_as_here_wherever_a_worker_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.environ["PYTHONPATH"] = os.pathsep.join(["lib", "", "/elsewhere"])
    isolate(load_settings({}), tmp_path)
    folders = os.environ["PYTHONPATH"].split(os.pathsep)
    assert folders[:2] == [str(tmp_path / "lib"), "/elsewhere"]
    assert os.environ["PYTHONSAFEPATH"] == "1"


@pytest.mark.long
def test_a_session_starts_and_its_workers_work(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "spark-env.sh").write_text("exit 3\n")
    (conf / "spark-defaults.conf").write_text("spark.sql.extensions com.nowhere.Extension\n")
    working = tmp_path / "working folder"
    working.mkdir()
    # A worker that looks into the working folder has these instead of its own.
    for name in ("json", "uuid", "struct"):
        (working / f"{name}.py").write_text("raise SystemExit('not the one')\n")
    program = (
        "from ecom_platform.settings import load_settings\n"
        "from ecom_platform.streaming.session import open_session, close_session\n"
        "session = open_session(load_settings())\n"
        "print(session.sparkContext.master, session.sparkContext.parallelize([1, 2], 2).map(abs).sum())\n"
        "close_session()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=working,
        env={
            **os.environ,
            **FOREIGN,
            "SPARK_CONF_DIR": str(conf),
            "ECOM_HOME": str(tmp_path / "home"),
            "ECOM_SPARK_MASTER": "local[2]",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout == "local[2] 3\n", done.stderr


def test_java_options_survive_any_folder() -> None:
    # As org.apache.spark.launcher.CommandBuilderUtils.parseOptionString reads them.
    options = ["-Xmx1g", "-XX:SharedArchiveFile=/a folder/it's/x.jsa", '-Dq="', "-Db=c:\\d"]
    assert shlex.split(option_string(options)) == options
    assert option_string(["-Xmx1g", "-Xss1m"]) == "-Xmx1g -Xss1m"
