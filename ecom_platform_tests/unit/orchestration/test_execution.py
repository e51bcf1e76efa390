"""A run of the terminal, as the UI finds it: a real instance, a job of one asset."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from ecom_platform.orchestration.execution import execute
from ecom_platform.orchestration.instance import CODE_LOCATION, WORKSPACE_FILE

RUN_ID = "5d1a2c5e-0000-4000-8000-000000000002"


@dg.asset
def something() -> None:
    """An asset."""


DEFS = dg.Definitions(assets=[something], jobs=[dg.define_asset_job("main", selection="*")])


@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_it_is_one_of_the_job_that_the_ui_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert execute(DEFS, tmp_path, "main", {}, RUN_ID).success
    with dg.DagsterInstance.get() as instance:
        # As the job's page and the overview ask for it.
        label = {".dagster/repository": f"__repository__@{CODE_LOCATION}"}
        (run,) = instance.get_runs(dg.RunsFilter(job_name="main", tags=label))
        assert run.run_id == RUN_ID
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == CODE_LOCATION
        assert run.status is dg.DagsterRunStatus.SUCCESS


def test_the_code_location_has_that_name() -> None:
    (entry,) = yaml.safe_load(WORKSPACE_FILE.read_text())["load_from"]
    assert entry["python_module"]["location_name"] == CODE_LOCATION
