"""A Dagster project of somebody else's, made from nothing, and what a daemon would do with it.

The program below runs in the environment that the wheel was installed into; what it prints is what the test
looks at. Spark, PostgreSQL and Dagster are the real ones; only the daemon's clock is left out: the sensor's
tick is evaluated, and what it asks for is executed.
"""

from __future__ import annotations

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "downstream_of_feeds.py"

_PYPROJECT = """\
[project]
name = "bakery"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "bakery"
"""
_DEFINITIONS = """\
from pathlib import Path

import dagster as dg

defs = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
# Of a name that the platform's own resource has had.
_RESOURCES = """\
import dagster as dg


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={"postgres": "the project's own"})
"""
# Another component of one feed, its declaration inline.
_VISITS = """\
type: ecom_platform.components.FeedComponent

attributes:
  name: visits
  columns:
    page: {type: text, in: [home, NO, 010]}
    visitor: bigint
  identity: content
"""
ORDERS = """\
Order No;Ordered;Customer;Status;Total
A-1001;13.11.2026 09:43;17;paid;1.249,90
A-1002;13.11.2026 10:02;4;paid;19,95
A-1003;14.11.2026 17:30;17;open;7,00
A-1004;15.11.2026 08:11;;paid;7,00
"""
VISITS = "page,visitor\nhome,17\nNO,17\n010,4\n8,4\n"
PROGRAM = """\
import json

import dagster as dg
from bakery.definitions import defs
from dagster.components.core.package_entry import discover_entry_point_package_objects
from ecom_platform.settings import load_settings
from ecom_platform.store.provision import provide

repository = defs.get_repository_def()
told = {
    "types": [key.to_typename() for key in discover_entry_point_package_objects()],
    "assets": sorted(key.to_user_string() for key in repository.assets_defs_by_key),
    "checks": sorted(key.to_user_string() for found in defs.asset_checks for key in found.check_keys),
    "jobs": sorted(job.name for job in repository.get_all_jobs()),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "schedules": sorted(schedule.name for schedule in repository.schedule_defs),
    "ran": [],
}


def execute(job, **what):
    done = job.execute_in_process(instance=instance, **what)
    told["ran"].append({
        "success": done.success,
        "checks": {f"{e.asset_key.to_user_string()}:{e.check_name}": e.passed
                   for e in done.get_asset_check_evaluations()},
        "assets": {m.asset_key.to_user_string(): {name: value.value for name, value in m.metadata.items()
                   if isinstance(value.value, (int, str, dict))}
                   for m in (event.step_materialization_data.materialization
                             for event in done.get_asset_materialization_events())},
    })


# One server for all: each of them would start it and end it.
with dg.DagsterInstance.get() as instance, provide(load_settings()) as database:
    resources = {name: defs.resources[name] for name in ("ecom_declared", "ecom_workload")}
    with dg.build_sensor_context(instance=instance, definitions=defs, resources=resources) as context:
        tick = repository.get_sensor_def("new_csv_files").evaluate_tick(context)
    told["tick"] = [request.asset_selection for request in tick.run_requests]  # of all feeds: no selection
    for request in tick.run_requests:
        execute(repository.get_job("ingest"), asset_selection=request.asset_selection, tags=request.tags)
    own = [dg.AssetKey("revenue_by_status"), dg.AssetKey("orders_of_days")]
    execute(defs.resolve_implicit_global_asset_job_def(), asset_selection=own)
    with database.transaction() as connection:
        rows = connection.execute("SELECT status, orders, revenue::text FROM revenue_by_status ORDER BY 1")
        told["revenue"] = rows.fetchall()
print(json.dumps(told, default=str))
"""


def make_project(folder: Path) -> Path:
    """The project, with one feed of which a file has landed; returns the folder of its definitions."""
    package = folder / "src" / "bakery"
    (package / "defs").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    (package / "__init__.py").touch()
    (package / "definitions.py").write_text(_DEFINITIONS)
    (package / "defs" / "__init__.py").touch()
    (package / "defs" / "resources.py").write_text(_RESOURCES)
    shutil.copy(EXAMPLE, package / "defs" / "downstream.py")
    (package / "defs" / "web").mkdir()
    (package / "defs" / "web" / "defs.yaml").write_text(_VISITS)
    (folder / "orders.csv").write_text(ORDERS)
    (folder / ".ecom" / "landing" / "visits").mkdir(parents=True)
    (folder / ".ecom" / "landing" / "visits" / "visits.csv").write_text(VISITS)
    (folder / "watch.py").write_text(PROGRAM)
    (folder / ".dagster").mkdir()
    return package / "defs"
