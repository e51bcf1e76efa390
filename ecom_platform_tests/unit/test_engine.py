"""The engine loads any feed: nothing in it knows the table or the columns of the one that the shop has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import ecom_platform
from ecom_platform_tests.landing import USER_EVENTS

ROOT = Path(ecom_platform.__file__).parent
# What the shop is, and what makes its table since before there were other feeds.
_OF_THE_SHOP = ("shop", "store/migrations", "store/schema.sql")
# Words of the language that other columns may have as well.
_COMMON = {"price", "category"}
_WORDS = re.compile(
    rf"\b({'|'.join([USER_EVENTS.table, *(n for n in USER_EVENTS.names if n not in _COMMON)])})\b"
)
_COLUMNS = re.compile(rf"\b({'|'.join(_COMMON)})\b")


def files(ending: str) -> Iterator[Path]:
    for path in sorted(ROOT.rglob(f"*{ending}")):
        if not path.relative_to(ROOT).as_posix().startswith(_OF_THE_SHOP):
            yield path


def literals(tree: ast.Module) -> Iterator[str]:
    """Every text of a module that is no docstring."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_no_text_of_the_engine_names_the_table_or_its_columns() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {literal!r}"
        for path in files(".py")
        for literal in literals(ast.parse(path.read_text(encoding="utf-8")))
        if _WORDS.search(literal)
    ]
    assert found == []


def test_no_statement_of_the_engine_does() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in files(".sql")
        for line in path.read_text(encoding="utf-8").splitlines()
        for statement in [line.partition("--")[0]]
        if _WORDS.search(statement) or _COLUMNS.search(statement)
    ]
    assert found == []
