"""A typing error in a variable's name is not silently nothing."""

from __future__ import annotations

import logging

import pytest

from ecom_platform import variable_reader
from ecom_platform.cli import doctor
from ecom_platform.errors import SettingsError
from ecom_platform.settings import load_alert_settings, load_settings
from ecom_platform.variables import OF_THE_STACK, strangers


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ECOM_ALERT_URL", "ECOM_ALERT_URLS"),
        ("ECOM_ALERTS_URL", "ECOM_ALERT_URLS"),
        ("ECOM_ALERT_ULRS", "ECOM_ALERT_URLS"),
        ("ECOM_ALERT_URL_FILE", "ECOM_ALERT_URLS_FILE"),
        ("ECOM_URL_ALERTS", "ECOM_ALERT_URLS"),
        ("ecom_alert_urls", "ECOM_ALERT_URLS"),
        ("ECOMALERT_URLS", "ECOM_ALERT_URLS"),
        ("ECOM_POSTGRESQL_URL", "ECOM_POSTGRES_URL"),
        ("ECOM_DATABASE_URI", "ECOM_POSTGRES_URL"),
        ("ECOM_POSTGRES_PASWORD", "ECOM_POSTGRES_PASSWORD"),
        ("ECOM_HOM", "ECOM_HOME"),
        ("ECOM_LANDING_FOLDER", "ECOM_LANDING_DIR"),
        ("ECOM_SETTLE_SECS", "ECOM_SETTLE_SECONDS"),
        ("ECOM_HEARTBEATURL", "ECOM_HEARTBEAT_URL"),
    ],
)
def test_a_name_like_a_known_one_is_an_error(name: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not known; it looks like {meant}:") as caught:
        load_settings({name: "s3cret"})
    assert "s3cret" not in str(caught.value)


def test_other_names_are_listed_by_the_doctor() -> None:
    others = ["ECOM_POSTGRES_USER", "ECOM_MODE", "ECOM_APPRISE", "ECOM_REGION"]
    found = load_settings(dict.fromkeys([*others, *OF_THE_STACK, "ECONOMY", "COM_HOME"], "x"))
    assert found.strangers.unknown == tuple(sorted(others))
    assert doctor._variables(found) == f"not known: {', '.join(sorted(others))}"
    assert doctor._variables(load_settings({})) == "every ECOM_ variable that is set is known"


def test_what_is_empty_is_not_set() -> None:
    assert load_settings({"ECOM_ALERT_URL": " "}).strangers.mistyped == {}


def test_other_projects_may_call_theirs_as_they_like() -> None:
    assert load_alert_settings(None, {"ECOM_ALERT_URL": "x"}).urls == ()


def test_a_retired_name_warns_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def with_one_retired(names: object, known: object) -> object:
        return strangers(names, known, {"ECOM_OLD": "set ECOM_HOME"})  # type: ignore[arg-type]

    monkeypatch.setattr(variable_reader, "strangers", with_one_retired)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            found = load_settings({"ECOM_OLD": "1"})
    assert [record.getMessage() for record in caplog.records] == [
        "ECOM_OLD is no longer understood: set ECOM_HOME"
    ]
    assert doctor._variables(found) == "no longer understood: ECOM_OLD (set ECOM_HOME)"
