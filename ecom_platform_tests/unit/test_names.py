"""One name, one thing: no two modules and no two classes of the package are called the same."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import ecom_platform

PACKAGE = Path(ecom_platform.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py"]


def twice(named: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: places for name, places in named.items() if len(places) > 1}


def test_no_module_has_the_name_of_another() -> None:
    named: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        named[path.stem].append(str(path.relative_to(PACKAGE)))
    assert twice(named) == {}


def test_no_class_has_the_name_of_another() -> None:
    named: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                named[node.name].append(str(path.relative_to(PACKAGE)))
    assert twice(named) == {}
