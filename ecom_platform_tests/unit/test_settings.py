"""The environment as settings: defaults, every refusal, and that no secret is shown."""

from pathlib import Path

import pytest

from ecom_platform.errors import SettingsError
from ecom_platform.settings import load_settings, read_environment


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
        ("ECOM_BATCH_FILES", "0"),
        ("ECOM_BATCH_FILES", "many"),
        ("ECOM_ROWS_PER_FILE", "-1"),
        ("ECOM_SETTLE_SECONDS", "-0.1"),
        ("ECOM_TRIGGER_SECONDS", "nan"),
        ("ECOM_TRIGGER_SECONDS", "inf"),
        ("ECOM_SPARK_MASTER", "sparky"),
        ("ECOM_SPARK_DRIVER_MEMORY", "lots"),
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
