"""What Dagster and PySpark do not promise to keep: it is where it was, and one module each asks for it."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path

import pytest
from pyspark import SparkContext

import ecom_platform
from ecom_platform.orchestration import dagster_private

PACKAGE = Path(ecom_platform.__file__).parent
# The webserver of `ecom dev` is put together from Dagster's parts, in a module that does nothing else.
ADAPTERS = {
    "dagster": {"orchestration/dagster_private.py", "orchestration/webserver.py"},
    "pyspark": {"streaming/spark_private.py"},
}
OF_SPARK = {
    "_active_spark_context", "_ensure_initialized", "_gateway", "_jsc", "_jdf", "_jvm", "_jsparkSession"
}  # fmt: skip


def asked_for(path: Path) -> set[str]:
    """The libraries of which a module uses what begins with an underscore."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            library, _, rest = module.partition(".")
            if rest.startswith("_") or "._" in rest:
                found.add(library)
        if isinstance(node, ast.Attribute) and node.attr in OF_SPARK:
            found.add("pyspark")
    return found


@pytest.mark.parametrize("library", sorted(ADAPTERS))
def test_nobody_else_asks(library: str) -> None:
    asking = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if library in asked_for(path)}
    assert asking == ADAPTERS[library]


@pytest.mark.parametrize(("library", "seen"), [("dagster", "1.13."), ("pyspark", "4.3.")])
def test_they_were_seen_in_this_series(library: str, seen: str) -> None:
    assert version(library).startswith(seen), f"look at each of {ADAPTERS[library]} again"


def test_pyspark_has_them() -> None:
    assert SparkContext._gateway is None or hasattr(SparkContext._gateway, "proc")
    assert hasattr(SparkContext, "_active_spark_context")
    assert "gateway" in inspect.signature(SparkContext._ensure_initialized).parameters


def test_dagster_has_them() -> None:
    assert all(getattr(dagster_private, name) is not None for name in dagster_private.__all__)
