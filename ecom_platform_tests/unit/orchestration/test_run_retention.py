"""Dagster's own history past its time: a real instance as on a laptop, with its files."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

from ecom_platform.orchestration import run_retention
from ecom_platform.orchestration.run_retention import expire_runs

pytestmark = [
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),
    pytest.mark.usefixtures("starts_programs"),
]

FILE = Path(__file__).parents[3] / "dagster.yaml"
LATER = timedelta(days=1)


@dg.asset
def something(context: dg.AssetExecutionContext) -> None:
    """An asset that leaves a trace of each kind."""
    print("printed")
    context.log.info("logged")


DEFS = dg.Definitions(
    assets=[something],
    jobs=[dg.define_asset_job("main", selection="*"), dg.define_asset_job("other", selection="*")],
)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copyfile(FILE, tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))) as made:
        yield made


def run(instance: dg.DagsterInstance, job: str = "main") -> str:
    return DEFS.resolve_job_def(job).execute_in_process(instance=instance).run_id


def traces(home: Path, run_id: str) -> list[Path]:
    """Files that are of one run."""
    return [path for path in home.rglob("*") if run_id in str(path)]


def test_what_is_past_its_time_goes_with_all_its_files(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_retention, "_AT_ONCE", 2)  # several pages
    old = [run(instance) for _ in range(4)]
    seldom = run(instance, "other")
    assert all(traces(tmp_path, run_id) for run_id in old)

    assert expire_runs(instance, datetime.now(UTC) - LATER) == 0
    newest = old.pop()
    assert expire_runs(instance, datetime.now(UTC) + LATER) == len(old)
    assert {found.run_id for found in instance.get_runs()} == {newest, seldom}
    for run_id in old:
        assert traces(tmp_path, run_id) == []
    materialized = instance.fetch_materializations(dg.AssetKey("something"), limit=10).records
    assert {record.run_id for record in materialized} == {newest, seldom}
    assert expire_runs(instance, datetime.now(UTC) + LATER) == 0


def test_a_run_that_has_not_ended_stays(instance: dg.DagsterInstance) -> None:
    job = DEFS.resolve_job_def("main")
    unfinished = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    run(instance)
    run(instance)
    assert expire_runs(instance, datetime.now(UTC) + LATER) == 1
    assert instance.get_run_by_id(unfinished.run_id) is not None
