"""The asset ``performance_report``: the run's figures, judged, plotted and on a page."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from ecom_platform.orchestration.assets.duplicate_audit import AUDIT
from ecom_platform.orchestration.jobs import FOLLOWS_TAG
from ecom_platform.orchestration.metadata import GROUP, OWNERS
from ecom_platform.orchestration.resources import LandingZoneResource, PostgresResource
from ecom_platform.orchestration.workload import Workload
from ecom_platform.reporting import charts, svg
from ecom_platform.reporting.figures import labelled
from ecom_platform.reporting.report import Report, write_report

REPORT = "performance_report"


def performance_report(upstream: Sequence[str] = ()) -> dg.AssetsDefinition:
    """``upstream``: assets that it follows from beside the audit. They are said here: an arrow that is drawn
    to a finished asset is none that execution follows."""

    @dg.asset(
        name=REPORT,
        deps=[AUDIT, *upstream],
        group_name=GROUP,
        owners=OWNERS,
        kinds={"postgres", "python"},
        code_version="1",
        tags=FOLLOWS_TAG,
    )
    def report_of_run(
        context: dg.AssetExecutionContext,
        ecom_postgres: PostgresResource,
        ecom_landing: LandingZoneResource,
        ecom_workload: dg.ResourceParam[Workload],
    ) -> dg.MaterializeResult[None]:
        """How the shop does and how the last load went: a page under `ECOM_HOME/reports`, and its plots here.

        Every figure is a row of `performance_metrics`; those of the run as a whole are below, under *Plots*
        over time, and by their parts processor time, memory, duplicates, rejects and sizes. The bottleneck
        and the recommendation follow from the figures by rules (docs/reporting.md). After a run that loaded
        nothing it is the report of the last one that did.
        """
        report = write_report(
            ecom_postgres.database,
            ecom_landing.settings.reports_dir,
            context.run.run_id,
            ecom_workload.first_screen,
            ecom_workload.tables,
        )
        return dg.MaterializeResult(metadata=_metadata(report))

    return report_of_run


def _metadata(report: Report) -> dict[str, Any]:
    metadata: dict[str, Any] = {"report": dg.MetadataValue.path(report.path)}
    if report.run is None or report.verdict is None:
        return metadata | {"bottleneck": "Nothing has been loaded yet."}
    metadata |= {
        "bottleneck": report.verdict.sentence,
        "recommendation": report.verdict.recommendation,
        "plots": dg.MetadataValue.md(_markdown(charts.in_the_ui(report.run))),
    }
    return metadata | {name: round(value, 4) for name, value in labelled(report.run).items()}


def _markdown(plots: Any) -> str:
    return "\n\n".join(f"**{name}**\n\n![{name}]({svg.data_uri(plot)})" for name, plot in plots)
