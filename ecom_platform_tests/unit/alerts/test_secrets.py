"""No secret in a name, a text or a repr."""

import pytest

from ecom_platform.alerts.redaction import redact, secrets_of
from ecom_platform.alerts.targets import targets
from ecom_platform.errors import SettingsError
from ecom_platform.settings import AlertVariables, load_alert_settings, load_settings

TOKEN = "xoxb-1234567890-abcdefghij"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://bob:pw@hooks.example.org:8080/secret/path?token=x", "json://hooks.example.org"),
        ("jsons://hooks.example.org/x", "jsons://hooks.example.org"),
        ("mailtos://bob:pw@example.org?smtp=mail.example.org", "mailtos://example.org"),
        ("json://localhost/x", "json://localhost"),
        (f"slack://{TOKEN}/B/C", "slack://"),
        ("tgram://123456:AAbbCC/chat", "tgram://"),
        ("pagerduty://key@apikey.with.dots", "pagerduty://"),
        ("json://barewordtoken/x", "json://"),
        ("json://[broken/x", "json://"),
    ],
)
def test_a_target_is_shown_without_secrets(url: str, shown: str) -> None:
    (target,) = targets([url])
    assert target.name == shown
    assert url not in repr(target)


def test_targets_of_one_name_are_numbered_and_doubles_are_one() -> None:
    names = [t.name for t in targets(["json://h.org/a", "json://h.org/b", "json://h.org/a"])]
    assert names == ["json://h.org", "json://h.org #2"]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (
            "could not reach postgresql://bob:hunter2@db:5432/x",
            "could not reach postgresql://bob:***@db:5432/x",
        ),
        ("password=hunter2 host=db", "password=*** host=db"),
        ('{"api_key": "hunter2"}', '{"api_key": "***"}'),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("expected 30,000 rows; found 29,960", "expected 30,000 rows; found 29,960"),
        ("see http://127.0.0.1:3000/runs/1", "see http://127.0.0.1:3000/runs/1"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    secrets = secrets_of([f"slack://bot@T00000000/{TOKEN}/x", "postgresql://bob:hunter22@db/x"])
    assert redact(f"sent to {TOKEN} with hunter22", secrets) == "sent to *** with ***"
    assert "db" not in secrets


def test_urls_are_separated_by_commas_or_whitespace_and_never_shown() -> None:
    text = f"slack://{TOKEN}/B/C, mailto://u:pw@h.org?to=a@x.org,b@x.org\n json://h.org/x,"
    settings = load_settings({"ECOM_ALERT_URLS": text})
    assert settings.alerts.urls == (
        f"slack://{TOKEN}/B/C",
        "mailto://u:pw@h.org?to=a@x.org,b@x.org",
        "json://h.org/x",
    )
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(settings.alerts)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ECOM_ALERT_URLS", TOKEN),
        ("ECOM_HEARTBEAT_URL", f"ftp://{TOKEN}"),
        ("ECOM_UI_URL", TOKEN),
        ("ECOM_ALERT_REJECT_SHARE", "1.5"),
        ("ECOM_ALERT_REJECT_SHARE", "nan"),
        ("ECOM_ALERT_RUN_SECONDS", "long"),
    ],
)
def test_what_cannot_be_used_is_named_but_no_secret_repeated(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings({name: value})
    assert TOKEN not in str(caught.value)


def test_another_project_names_its_own_variables() -> None:
    names = AlertVariables(urls="TEAM_URLS", postgres_url="TEAM_DB")
    environ = {"TEAM_URLS": "json://h.org/x", "TEAM_DB": "postgresql://h/d", "ECOM_SPARK_MASTER": "nonsense"}
    settings = load_alert_settings(names, environ)
    assert (settings.urls, settings.postgres_url) == (("json://h.org/x",), "postgresql://h/d")


def test_a_value_in_the_place_of_a_name_is_refused_without_repeating_it() -> None:
    with pytest.raises(SettingsError, match="not the name of an environment variable") as caught:
        load_alert_settings(AlertVariables(urls=f"slack://{TOKEN}/B/C"), {})
    assert TOKEN not in str(caught.value)
