"""The environment as settings: defaults, every refusal, and that no secret is shown."""

import os
from pathlib import Path

import pytest

from ecom_platform.errors import SettingsError
from ecom_platform.settings import AlertVariables, load_alert_settings, load_settings, read_environment


def test_defaults_need_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({})
    assert settings.home == tmp_path / ".ecom"
    assert settings.landing_dir == tmp_path / ".ecom" / "landing"
    assert settings.embedded
    assert settings.local_spark
    assert settings.batch_files is None
    assert settings.rows_per_file == 1_000
    assert settings.settle_seconds == 1.0


def test_empty_variables_count_as_unset() -> None:
    settings = load_settings({"ECOM_POSTGRES_URL": " ", "ECOM_BATCH_FILES": ""})
    assert settings.embedded
    assert settings.batch_files is None


def test_values_are_read(tmp_path: Path) -> None:
    settings = load_settings(
        {
            "ECOM_HOME": str(tmp_path),
            "ECOM_LANDING_DIR": str(tmp_path / "in"),
            "ECOM_POSTGRES_URL": "postgresql://u@h/d",
            "ECOM_SPARK_MASTER": "spark://h:7077",
            "ECOM_SPARK_DRIVER_MEMORY": "768M",
            "ECOM_BATCH_FILES": "1",
            "ECOM_TRIGGER_SECONDS": "10",
            "ECOM_SETTLE_SECONDS": "0",
            "ECOM_ROWS_PER_FILE": "500",
            "DAGSTER_HOME": str(tmp_path / "dagster-home"),
        }
    )
    assert settings.landing_dir == tmp_path / "in"
    assert settings.remote_spark
    assert settings.spark_driver_memory == "768m"
    assert (settings.batch_files, settings.rows_per_file) == (1, 500)
    assert (settings.trigger_seconds, settings.settle_seconds) == (10.0, 0.0)
    assert settings.dagster_home == tmp_path / "dagster-home"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ECOM_HOME", "/srv/[a]"),
        ("ECOM_HOME", "/srv/what?"),
        ("ECOM_BATCH_FILES", "0"),
        ("ECOM_BATCH_FILES", "many"),
        ("ECOM_ROWS_PER_FILE", "-1"),
        ("ECOM_SETTLE_SECONDS", "-0.1"),
        ("ECOM_TRIGGER_SECONDS", "nan"),
        ("ECOM_TRIGGER_SECONDS", "inf"),
        ("ECOM_SPARK_MASTER", "sparky"),
        ("ECOM_SPARK_DRIVER_MEMORY", "lots"),
        ("ECOM_SPARK_DRIVER_PORT", "0"),
        ("ECOM_SPARK_EXECUTOR_MEMORY", "none"),
        ("ECOM_SPARK_EXECUTOR_CORES", "0"),
        ("ECOM_SPARK_CORES", "all"),
        ("ECOM_SPARK_START_SECONDS", "-1"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({name: value})
    assert name in caught.value.message
    assert repr(value) in caught.value.message or repr(value.lower()) in caught.value.message


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"ECOM_BATCH_FILES": "0", "ECOM_SETTLE_SECONDS": "x", "ECOM_SPARK_MASTER": "y"})
    for name in ("ECOM_BATCH_FILES", "ECOM_SETTLE_SECONDS", "ECOM_SPARK_MASTER"):
        assert name in caught.value.message


def test_a_remote_master_with_the_embedded_server_is_refused() -> None:
    with pytest.raises(SettingsError, match="ECOM_POSTGRES_URL"):
        load_settings({"ECOM_SPARK_MASTER": "spark://h:7077"})


def test_a_bad_database_url_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"ECOM_POSTGRES_URL": "mysql://bob:s3cret@h/d"})
    assert "s3cret" not in str(caught.value)


def test_the_database_url_is_not_in_the_repr() -> None:
    assert "s3cret" not in repr(load_settings({"ECOM_POSTGRES_URL": "postgresql://bob:s3cret@h/d"}))


def test_dotenv_wins_as_it_does_in_dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_BATCH_FILES", "7")
    (tmp_path / ".env").write_text("ECOM_BATCH_FILES=3\n")
    assert load_settings(read_environment(tmp_path)).batch_files == 3


def test_ports_leave_room_for_those_after_them() -> None:
    with pytest.raises(SettingsError, match="ECOM_SPARK_DRIVER_PORT is 65535"):
        load_settings({"ECOM_SPARK_DRIVER_PORT": "65535"})


def test_a_start_without_time_is_refused() -> None:
    with pytest.raises(SettingsError, match="ECOM_SPARK_START_SECONDS"):
        load_settings({"ECOM_SPARK_START_SECONDS": "0"})


def test_secrets_come_from_files_as_well(tmp_path: Path) -> None:
    secret, url = tmp_path / "secret", tmp_path / "url"
    secret.write_text("s3cret\n")
    url.write_text("postgresql://bob:hunter2@h/d\n")
    settings = load_settings({"ECOM_SPARK_SECRET_FILE": str(secret), "ECOM_POSTGRES_URL_FILE": str(url)})
    assert settings.cluster.secret == "s3cret"
    assert settings.postgres_url == "postgresql://bob:hunter2@h/d"
    assert "s3cret" not in repr(settings)


def test_a_password_apart_from_the_url_is_put_into_it() -> None:
    environ = {
        "ECOM_POSTGRES_URL": "postgresql://bob@h:5433/d?sslmode=require",
        "ECOM_SPARK_POSTGRES_URL": "postgresql://bob@db/d",
        "ECOM_POSTGRES_PASSWORD": "a/b:c@d",
    }
    settings = load_settings(environ)
    assert settings.postgres_url == "postgresql://bob:a%2Fb%3Ac%40d@h:5433/d?sslmode=require"
    assert settings.spark_postgres_url == "postgresql://bob:a%2Fb%3Ac%40d@db/d"
    own = load_settings({**environ, "ECOM_POSTGRES_URL": "postgresql://bob:own@h/d"})
    assert own.postgres_url == "postgresql://bob:own@h/d"


def test_a_password_for_nobody_is_refused() -> None:
    with pytest.raises(SettingsError, match="names no user"):
        load_settings({"ECOM_POSTGRES_URL": "postgresql://h/d", "ECOM_POSTGRES_PASSWORD": "s3cret"})


def test_a_secret_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for environ, problem in [
        ({"ECOM_SPARK_SECRET_FILE": str(tmp_path / "none")}, "cannot be read"),
        ({"ECOM_SPARK_SECRET_FILE": str(empty)}, "empty"),
        ({"ECOM_SPARK_SECRET_FILE": str(empty), "ECOM_SPARK_SECRET": "x"}, "both set"),
    ]:
        with pytest.raises(SettingsError, match=problem):
            load_settings(environ)


def test_a_schema_is_in_every_url() -> None:
    settings = load_settings(
        {
            "ECOM_POSTGRES_URL": "postgresql://bob@h/d?sslmode=require",
            "ECOM_SPARK_POSTGRES_URL": "postgresql://bob@inside/d",
            "ECOM_POSTGRES_PASSWORD": "x",
            "ECOM_POSTGRES_SCHEMA": "team_a",
        }
    )
    named = "options=-csearch_path%3Dteam_a"
    assert settings.postgres_url == f"postgresql://bob:x@h/d?sslmode=require&{named}"
    assert settings.spark_postgres_url == f"postgresql://bob:x@inside/d?{named}"
    assert settings.alerts.postgres_url == f"postgresql://bob@h/d?sslmode=require&{named}"
    assert (settings.postgres_schema, settings.alerts.postgres_schema) == ("team_a", "team_a")


def test_the_schema_is_not_that_of_another_projects_database() -> None:
    environ = {"ECOM_POSTGRES_SCHEMA": "team_a", "SHOP_DB": "postgresql://h/shop", "SHOP_SCHEMA": "alerts"}
    theirs = load_alert_settings(AlertVariables(postgres_url="SHOP_DB"), environ)
    assert (theirs.postgres_url, theirs.postgres_schema) == ("postgresql://h/shop", None)
    named = load_alert_settings(
        AlertVariables(postgres_url="SHOP_DB", postgres_schema="SHOP_SCHEMA"), environ
    )
    assert named.postgres_url == "postgresql://h/shop?options=-csearch_path%3Dalerts"


@pytest.mark.parametrize("name", ["pg_temp", "information_schema", "$user", "x" * 64, "a\tb"])
def test_a_schema_that_cannot_be_one_is_refused_once(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"ECOM_POSTGRES_SCHEMA": name})
    assert caught.value.message.count("ECOM_POSTGRES_SCHEMA") == 1


def test_two_words_on_the_schema_are_refused() -> None:
    url = "postgresql://h/d?options=-c%20search_path%3Dmonitoring"
    with pytest.raises(SettingsError, match="take it out of the URL"):
        load_settings({"ECOM_POSTGRES_URL": url, "ECOM_POSTGRES_SCHEMA": "team_a"})


def test_variables_of_libpq_in_dotenv_reach_libpq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `dagster dev`, which would otherwise connect to another server than the terminal."""
    monkeypatch.setenv("PGHOST", "shell")
    (tmp_path / ".env").write_text("PGHOST=dotenv\nECOM_HOME=home\n")
    assert read_environment(tmp_path)["PGHOST"] == "dotenv"
    assert os.environ["PGHOST"] == "dotenv"
