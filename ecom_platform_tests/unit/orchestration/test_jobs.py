"""Which runs look at the whole of a large table."""

import dagster as dg
import pytest

from ecom_platform.orchestration.jobs import LOADS, whole_up_to
from ecom_platform.settings import Settings, load_settings
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS


@pytest.fixture
def settings() -> Settings:
    return load_settings({"ECOM_WHOLE_CHECK_ROWS": "7"})


def run(job_name: str, *assets: str, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    chosen = frozenset(dg.AssetKey(name) for name in assets)
    return dg.DagsterRun(job_name=job_name, asset_selection=chosen or None, tags=tags)


@pytest.mark.parametrize(
    "loading",
    [run("ingest", tags=LOADS), run("__ASSET_JOB", "raw_events", "user_events", "duplicate_audit")],
)
def test_what_loads_looks_at_what_changed(settings: Settings, loading: dg.DagsterRun) -> None:
    assert whole_up_to(loading, settings, PACKAGED_FEEDS) == 7


@pytest.mark.parametrize("asking", [run("audit"), run("__ASSET_JOB"), run("__ASSET_JOB", "duplicate_audit")])
def test_who_asks_for_checks_is_told_of_everything(settings: Settings, asking: dg.DagsterRun) -> None:
    assert whole_up_to(asking, settings, PACKAGED_FEEDS) is None


def test_the_default_and_a_value_that_is_none() -> None:
    assert load_settings({}).whole_check_rows == 5_000_000
    assert load_settings({"ECOM_WHOLE_CHECK_ROWS": "0"}).whole_check_rows == 0
