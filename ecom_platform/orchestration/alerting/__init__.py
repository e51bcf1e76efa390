"""Alerts for Dagster: ``check_alerts`` gives definitions to merge with those of any project."""

from ecom_platform.alerts.outbox import raise_problem, resolve_problem
from ecom_platform.alerts.problem import Kind, Problem, Severity
from ecom_platform.orchestration.alerting.sensor import check_alerts
from ecom_platform.settings import AlertVariables

__all__ = [
    "AlertVariables",
    "Kind",
    "Problem",
    "Severity",
    "check_alerts",
    "raise_problem",
    "resolve_problem",
]
