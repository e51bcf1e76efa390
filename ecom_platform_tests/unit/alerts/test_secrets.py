"""No secret in a name, a text or a repr."""

from pathlib import Path

import pytest

from ecom_platform.alerts.redaction import redact, redact_value, secrets_of
from ecom_platform.alerts.targets import targets
from ecom_platform.errors import SettingsError
from ecom_platform.orchestration.alerting.signs import first_line
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
        # Passwords with what should have been escaped in them.
        ("json://bob:pa@ss.word@hooks.example.org/x", "json://"),
        ("mailto://bob:p@ss.wo/rd@example.org", "mailto://"),
        ("mailto://bob.smith:pa/ss@example.org", "mailto://"),
        ("json://bob:pa#ss@hooks.example.org/x", "json://"),
        ("json://[broken/x", "json://"),
    ],
)
def test_a_target_is_shown_without_secrets(url: str, shown: str) -> None:
    (target,) = targets([url])
    name, _, fingerprint = target.name.partition(" #")
    assert (name, len(fingerprint)) == (shown, 6)
    assert url not in repr(target)


def test_a_target_keeps_its_name_when_others_of_its_kind_come_and_go() -> None:
    first, second = "slack://tokenA/tokenB/one", "slack://tokenA/tokenB/two"
    both = [target.name for target in targets([first, second, first])]
    assert len(set(both)) == len(both) == 2
    assert [target.name for target in targets([second])] == both[1:]
    assert [target.name for target in targets([second, first])] == both[::-1]


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
        ("DETAIL:  Failing row contains (7, Alice, a)b).", "DETAIL:  Failing row contains (…)"),
        ("Key (user_name)=(Alice) already exists.", "Key (user_name)=(…) already exists."),
        (
            'COPY user_events, line 5, column user_id: "Alice"',
            "COPY user_events, line 5, column user_id: (…)",
        ),
        ('invalid input syntax for type uuid: "Alice Smith"', "invalid input syntax for type uuid: (…)"),
        ("expected 30,000 rows; found 29,960", "expected 30,000 rows; found 29,960"),
        ("see http://127.0.0.1:3000/runs/1", "see http://127.0.0.1:3000/runs/1"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize("length", [400, 4_000])
def test_a_cut_does_not_uncover_what_stands_across_it(length: int) -> None:
    """Where the text is cut before it is masked, the @ is gone and the password looks like a port."""
    head = "x" * (length - len(" postgresql://bob:hunter2"))
    clean = redact(first_line("OSError", f"{head} postgresql://bob:hunter2@db/shop"))
    assert "hunter2" not in clean
    assert len(redact(f"{head} {TOKEN}" * 2, [TOKEN])) <= 4_000
    assert TOKEN[:12] not in redact(f"{'x' * (length - 13)} {TOKEN}", [TOKEN])


@pytest.mark.parametrize("password", ["hun@ter2", "hun/ter2", "hun#t@er/2", "h:u@n?ter2", "4711/@x"])
def test_a_password_may_hold_what_it_should_not(password: str) -> None:
    assert redact(f"at postgresql://bob:{password}@db/x.") == "at postgresql://bob:***@db/x."
    assert redact(f"at postgresql://bob@corp:{password}@db/x.") == "at postgresql://bob@corp:***@db/x."


@pytest.mark.parametrize("password", ["hun@ter2", "hun/ter2", "hun#ter2", "hun@ter/2"])
@pytest.mark.parametrize("name", ["ECOM_POSTGRES_URL", "ECOM_SPARK_POSTGRES_URL"])
def test_a_password_that_would_be_taken_for_a_host_is_refused_unseen(name: str, password: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} has a user or a password with @") as caught:
        load_settings({"ECOM_POSTGRES_URL": "postgresql://db/x", name: f"postgresql://bob:{password}@db/x"})
    for part in ("hun", "ter"):
        assert part not in str(caught.value)


def test_urls_may_come_from_files(tmp_path: Path) -> None:
    urls, heartbeat = tmp_path / "urls", tmp_path / "heartbeat"
    urls.write_text(f"slack://{TOKEN}/B/C\njson://h.org/x\n")
    heartbeat.write_text(f"https://hc.example.org/{TOKEN}\n")
    settings = load_settings(
        {"ECOM_ALERT_URLS_FILE": str(urls), "ECOM_HEARTBEAT_URL_FILE": str(heartbeat)}
    ).alerts
    assert settings.urls == (f"slack://{TOKEN}/B/C", "json://h.org/x")
    assert settings.heartbeat_url == f"https://hc.example.org/{TOKEN}"
    own = load_alert_settings(AlertVariables(urls="TEAM_URLS"), {"TEAM_URLS_FILE": str(urls)})
    assert own.urls == settings.urls
    with pytest.raises(SettingsError, match="ECOM_ALERT_URLS and ECOM_ALERT_URLS_FILE are both set"):
        load_settings({"ECOM_ALERT_URLS_FILE": str(urls), "ECOM_ALERT_URLS": "json://h.org/x"})
    urls.unlink()
    with pytest.raises(SettingsError, match=r"ECOM_ALERT_URLS_FILE is .* which cannot be read"):
        load_settings({"ECOM_ALERT_URLS_FILE": str(urls)})


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("tgram://123456789:AAbbCCddEE/chat", ["123456789:AAbbCCddEE", "AAbbCCddEE"]),
        ("pbul://o.AccessTokenOf", ["o.AccessTokenOf"]),
        ("pagerduty://integrationkey@apikeyapikey", ["integrationkey", "apikeyapikey"]),
        ("json://sekretuser@hooks.example.org/x", ["sekretuser"]),
        ("mailto://bob@example.org?smtp=mail.example.org&pass=hunter22%21", ["hunter22%21", "hunter22!"]),
        ("mailto://bob:hunter%2F22@example.org", ["hunter%2F22", "hunter/22"]),
        ("json://hooks.example.org/x?+X-Auth=abcdefgh", ["abcdefgh"]),
        ("https://hc.example.org/ping?key=0123456789", ["0123456789"]),
    ],
)
def test_every_part_of_a_url_that_opens_a_door_is_a_secret(url: str, secrets: list[str]) -> None:
    found = secrets_of([url])
    for secret in secrets:
        assert secret in found
        assert redact(f"it answered {secret}.", found) == "it answered ***."


def test_what_a_url_says_in_the_open_is_none() -> None:
    url = "mailto://platform@mail.example.org?to=oncall@example.org&smtp=mail.example.org&mode=insecure"
    database = "postgresql://dagster@postgres:5432/ecommerce?options=-csearch_path%3Dmonitoring"
    text = "to oncall@example.org by mail.example.org, insecure; dagster of ecommerce, postgres, monitoring"
    assert redact(text, secrets_of([url, database])) == text


@pytest.mark.parametrize(
    "name", ["password", "db_password", "apiToken", "client-secret", "api_key", "Tokens"]
)
def test_a_detail_whose_name_announces_a_secret_shows_nothing(name: str) -> None:
    assert redact_value(name, "hunter2") == "***"
    assert redact_value(name, ["hunter2"]) == "***"
    assert redact_value("rows", 3) == 3
    assert redact_value("raw", ["password=hunter2"]) == ["password=***"]


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    secrets = secrets_of([f"slack://bot@T00000000/{TOKEN}/x", "postgresql://bob:hunter22@db/x"])
    assert redact(f"sent to {TOKEN} with hunter22", secrets) == "sent to *** with ***"
    assert redact("bob of db", secrets) == "bob of db"


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
