"""Noticing a database that went back in time while nothing is loaded.

Belongs here: looking at the newest file on disk, and the evaluation of the check where the ledger does not
know it. Does not belong here: the check (``landing.inspection``), which every run that loads evaluates.
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from ecom_platform.errors import StoreAwayError
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.metadata import check_result
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource

SECONDS = 60
_TOLD = "told"


@dg.sensor(
    minimum_interval_seconds=SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Each minute: does the ledger know the newest file on disk? After a restore it does not.",
)
def ledger_age(
    context: dg.SensorEvaluationContext,
    ecom_postgres: PostgresResource,
    ecom_landing: LandingZoneResource,
    ecom_declared: dg.ResourceParam[DeclaredFeeds],
) -> Any:
    database, landing = ecom_postgres.database, ecom_landing.inspection(hurried=True)
    try:
        if landing.newest_is_known(database):
            return dg.SensorResult(skip_reason="The ledger knows the newest file on disk.", cursor="")
        # The whole look, where the newest file is not known.
        finding = landing.disk_matches_ledger(database, whole_up_to=ecom_landing.settings.whole_check_rows)
    except StoreAwayError as error:  # the sensor that loads says so, and has it told
        return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
    if finding.passed or context.cursor == _TOLD:
        return dg.SensorResult(skip_reason=str(finding.found), cursor=context.cursor)
    result = check_result(finding)
    evaluation = dg.AssetCheckEvaluation(
        check_name=finding.check,
        asset_key=ecom_declared.first,
        passed=False,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )
    return dg.SensorResult(asset_events=[evaluation], cursor=_TOLD)
