"""Resources: what an asset or a check is handed.

Belongs here: opening and closing the domain's own objects at the ends of a Dagster run. None
takes a secret as config; they read the environment in the process that runs them, so nothing of
it reaches the UI. Does not belong here: what those objects do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pydantic import PrivateAttr

from ecom_platform.errors import SettingsError
from ecom_platform.landing.inspection import Inspection, inspection
from ecom_platform.landing.landing_places import LandingPlaces, places_of
from ecom_platform.landing.landing_zone import Zone, prepare, zone_of
from ecom_platform.orchestration import presence
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.jobs import WAITING_TAG
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings, load_settings
from ecom_platform.store.connection import Connection, Database
from ecom_platform.store.provision import provide
from ecom_platform.streaming import session as spark


class PostgresResource(dg.ConfigurableResource[Any]):
    """PostgreSQL of `ECOM_POSTGRES_URL`, or the embedded server for as long as the run lasts."""

    _database: Database | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PostgresResource]:
        # Every run that ingests takes this resource.
        if context.instance is not None and context.run is not None:
            presence.appear(Path(context.instance.root_directory), context.run.run_id)
        with provide(load_settings()) as database:
            self._database = database
            yield self

    @property
    def database(self) -> Database:
        """The database, migrated. Only within a run."""
        if self._database is None:
            raise RuntimeError("the resource is used outside a run")
        return self._database

    def transaction(self) -> AbstractContextManager[Connection]:
        """A connection, committed at the end of the ``with`` block."""
        return self.database.transaction()


class LandingZoneResource(dg.ConfigurableResource[Any]):
    """Where files land and what they pass through: folders (`ECOM_LANDING_DIR`), or a part of a bucket
    (`ECOM_LANDING_URL`)."""

    @property
    def settings(self) -> Settings:
        return load_settings()

    @property
    def places(self) -> LandingPlaces:
        """What a load does there, known to be usable. Raises :class:`StorageError`."""
        places = places_of(self.settings)
        prepare(places.zone)
        return places

    @property
    def zone(self) -> Zone:
        """The zone, known to be usable. Raises :class:`StorageError`."""
        zone = zone_of(self.settings)
        prepare(zone)
        return zone

    def inspection(self, *, hurried: bool = False) -> Inspection:
        """What is asked there without moving anything."""
        return inspection(self.settings, hurried=hurried)


class SparkResource(LazyPySparkResource):
    """A session on `ECOM_SPARK_MASTER`, made when it is first asked for, stopped when the run ends."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Where files are known to wait, Spark starts while the run looks at them."""
        if context.run is not None and WAITING_TAG in context.run.tags:
            spark.warm_up(load_settings())

    def _init_session(self) -> None:
        if self._spark_session is None:
            settings = load_settings()
            self._refuse_another_master(settings)
            # Everything that must be right before the JVM starts; dagster-pyspark then finds it running.
            spark.open_session(settings)
            super()._init_session()

    def _refuse_another_master(self, settings: Settings) -> None:
        """The launchpad lets one type a master, which would silently be ignored."""
        asked = self.spark_config.get("spark.master", settings.spark_master)
        if asked != settings.spark_master:
            raise SettingsError(
                f"spark.master is {asked!r} in the run's config, but ECOM_SPARK_MASTER is "
                f"{settings.spark_master!r}.",
                "Set ECOM_SPARK_MASTER and start the UI again; a run cannot choose.",
            )

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002
        if self._spark_session is not None:
            spark.stop_session(self._spark_session)
            self._spark_session = None


def resources(settings: Settings, workload: Workload, declared: DeclaredFeeds) -> dict[str, Any]:
    """The resources of the code location, by the names that assets ask for. They begin with ours: a project
    that has feeds among its definitions may well have a ``postgres`` of its own."""
    return {
        "ecom_workload": dg.ResourceDefinition.hardcoded_resource(
            workload, "What runs on the engine beside it."
        ),
        "ecom_declared": dg.ResourceDefinition.hardcoded_resource(
            declared, "The feeds, as they were declared."
        ),
        "ecom_postgres": PostgresResource(),
        "ecom_landing": LandingZoneResource(),
        # What depends on the process is added when the JVM starts; this is what the UI shows.
        "ecom_spark": SparkResource(
            spark_config={"spark.app.name": spark.APPLICATION_NAME, "spark.master": settings.spark_master}
        ),
    }
