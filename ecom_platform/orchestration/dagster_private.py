"""What the platform takes of Dagster that Dagster does not promise to keep, as seen in dagster 1.13.27.

Belongs here: every import from ``dagster._…`` but those of the webserver, which `ecom dev` assembles in
``webserver``. A test tells when one of them has moved, and that nobody else imports any. Does not belong
here: any code.

Why each is needed: a check that failed is told from other failures by its error, a check that was never run
by its status, freshness by its state; a run that the terminal starts is shown in the UI only with the
origin of its job; a sensor that does not tick is found by its stored state; the history that is past its
time is deleted with its files.
"""

from __future__ import annotations

from dagster._core.definitions.freshness import FreshnessState
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickStatus,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.tags import GRPC_INFO_TAG, MAX_RUNTIME_SECONDS_TAG, WILL_RETRY_TAG

__all__ = [
    "GRPC_INFO_TAG",
    "MAX_RUNTIME_SECONDS_TAG",
    "SINGLETON_REPOSITORY_NAME",
    "WILL_RETRY_TAG",
    "AssetCheckExecutionRecordStatus",
    "DagsterAssetCheckFailedError",
    "FreshnessState",
    "InstigatorStatus",
    "InstigatorType",
    "RegisteredCodeLocationOrigin",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "SensorInstigatorData",
    "SqliteEventLogStorage",
    "TickStatus",
]
