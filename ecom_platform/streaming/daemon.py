"""The process that Spark forks its Python workers from, with what a task needs loaded once.

Belongs here: imports. Without this every new worker would spend a second of its own on them.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any


class _WithoutPandas(MetaPathFinder):
    """Says that pandas is not installed.

    No task uses it, yet pyarrow imports it where it can, to ask whether a list is a Series: more
    than a second of processor time in every worker.
    """

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> None:  # noqa: ARG002
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not loaded in Python workers", name=name)


sys.meta_path.insert(0, _WithoutPandas())

from pyspark.daemon import manager  # noqa: E402

import ecom_platform.store.sink  # noqa: E402, F401 (loaded for the workers)

if __name__ == "__main__":
    manager()
