"""Which feeds there are: a folder of declarations, right and wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.catalog import catalog, packaged
from ecom_platform.settings import Settings, load_settings

FINE = "columns: {a: text}\nidentity: content\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "feeds").mkdir()
    return load_settings({"ECOM_FEEDS_DIR": str(tmp_path / "feeds")})


def declare(settings: Settings, **files: str) -> None:
    for name, text in files.items():
        (settings.feeds_dir / name.replace("__", ".")).write_text(text)


def test_without_a_folder_there_are_those_of_the_package() -> None:
    assert set(catalog(load_settings({})).feeds) == set(packaged()) == {"user_events"}


def test_a_mistake_in_one_stops_no_other(settings: Settings) -> None:
    declare(
        settings, visits__yaml=FINE, orders__yaml="columns: {a: texts}\nidentity: content\n", note__txt="x"
    )
    found = catalog(settings)
    assert set(found.feeds) == {"user_events", "visits"}
    assert set(found.problems) == {"orders"}
    assert "orders.yaml, line 1: columns.a.type: 'texts' is no type" in found.problems["orders"].message


def test_one_that_is_declared_twice(settings: Settings) -> None:
    declare(settings, visits__yaml=FINE, visits__yml=FINE)
    assert "both declare the feed visits" in catalog(settings).problems["visits"].message
    assert "visits" not in catalog(settings).feeds


def test_two_of_one_table_are_both_refused(settings: Settings) -> None:
    declare(settings, visits__yaml=FINE, clicks__yaml=FINE + "table: visits\n")
    found = catalog(settings)
    assert set(found.feeds) == {"user_events"}
    assert "has the table visits, which is that of clicks as well" in found.problems["visits"].message


@pytest.mark.parametrize("text", [FINE, FINE + "table: other\n", "columns: ["])
def test_a_name_of_ours_takes_nothing_away(settings: Settings, text: str) -> None:
    declare(settings, user_events__yaml=text, alerts__yaml=text)
    found = catalog(settings)
    assert found.feeds == packaged()
    assert set(found.problems) == {"user_events", "alerts"}


@pytest.mark.parametrize("table", ["user_events", "ingested_files", "staged"])
def test_a_table_of_ours(settings: Settings, table: str) -> None:
    declare(settings, visits__yaml=FINE + f"table: {table}\n")
    assert (
        f"the table {table} of the feed visits is one of ours" in catalog(settings).problems["visits"].message
    )
    declare(settings, visits__yaml=FINE + f"table: sales.{table}\n")
    assert catalog(settings).problems == {}
