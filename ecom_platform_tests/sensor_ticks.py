"""Ticks of the sensor that loads, one after the other, as the daemon makes them.

Belongs here: what a tick says. Does not belong here: where files land (``integration.test_new_csv_files``,
``integration.test_bucket_sensor``).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from ecom_platform.orchestration.jobs import WAITING_TAG
from ecom_platform.orchestration.sensors.new_csv_files import new_csv_files
from ecom_platform.orchestration.workload import Workload
from ecom_platform_tests.packaged_feeds import PACKAGED_FEEDS


class Ticks:
    """The sensor, with the cursor of its last tick and what its last run was to load."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.declared = PACKAGED_FEEDS
        self.selected: Sequence[dg.AssetKey] | None = None

    def tick(self) -> dg.SensorResult:
        resources = {"ecom_workload": Workload(tables=["sales"]), "ecom_declared": self.declared}
        with dg.build_sensor_context(self.instance, self.cursor, resources=resources) as context:
            result = new_csv_files(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def launched(self) -> str:
        """The tag of the one run that a tick asks for."""
        result = self.tick()
        assert result.run_requests is not None, result.skip_reason
        (request,) = result.run_requests
        assert request.run_key is None
        self.selected = request.asset_selection
        return request.tags[WAITING_TAG]

    def skipped(self) -> str:
        """Why a tick asks for none."""
        return said(self.tick())


def said(result: dg.SensorResult) -> str:
    """Why this tick asked for no run."""
    assert not result.run_requests
    assert isinstance(result.skip_reason, dg.SkipReason)
    return str(result.skip_reason.skip_message)
