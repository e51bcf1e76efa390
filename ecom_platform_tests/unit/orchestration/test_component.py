"""``FeedComponent`` among the definitions of other projects: what there is then, what is shared, and what a
mistake breaks."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.component_scaffolding import scaffold_object
from dagster.components.core.component_tree import ComponentTreeException
from dagster.components.core.package_entry import discover_package_objects

from ecom_platform.catalog import catalog
from ecom_platform.errors import UsageError
from ecom_platform.feeds.component_file import COMPONENT
from ecom_platform.orchestration.component import FeedAttributes
from ecom_platform.orchestration.declared import AllBut, DeclaredFeeds
from ecom_platform.settings import load_settings, usual_feeds_dir

# Dagster itself passes arguments that it calls beta, and asks pydantic for what pydantic calls deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),
]

TYPE = "type: ecom_platform.components.FeedComponent\n"
OF_THE_LOCATION = {"duplicate_audit", "performance_report"}
ORDERS = "columns: {id: bigint, note: text null}\nprimary_key: id\n"
_numbers = itertools.count(1)


class Project:
    """A project without feeds: what is written into the folder of its definitions is loaded."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package
        self.defs = folder / package / "defs"
        self.defs.mkdir(parents=True)
        for module in (self.defs.parent, self.defs):
            (module / "__init__.py").touch()
        project = f'[tool.dg]\ndirectory_type = "project"\n[tool.dg.project]\nroot_module = "{package}"\n'
        (folder / "pyproject.toml").write_text(project)

    def write(self, name: str, text: str) -> Path:
        path = self.defs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def component(self, folder: str, attributes: str, after: str = "") -> Path:
        """A `defs.yaml` with these lines under `attributes`."""
        lines = textwrap.indent(textwrap.dedent(attributes), "  ")
        return self.write(f"{folder}/defs.yaml", f"{TYPE}attributes:\n{lines}\n{after}")

    def load(self) -> dg.Definitions:
        return dg.load_from_defs_folder(path_within_project=self.folder)

    def assets(self) -> dict[str, dg.AssetSpec]:
        return {spec.key.to_user_string(): spec for spec in self.load().resolve_all_asset_specs()}

    def feeds(self) -> set[str]:
        return set(self.assets()) - OF_THE_LOCATION


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.delenv("ECOM_FEEDS_DIR", raising=False)
    # Somewhere else than where the platform's own settings may be.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Project(tmp_path, f"a_project_{next(_numbers)}")
    usual_feeds_dir(Path("feeds"))


def checks(location: dg.Definitions) -> set[str]:
    return {
        key.to_user_string()
        for found in location.asset_checks or []
        if isinstance(found, dg.AssetsDefinition)
        for key in found.check_keys
    }


def test_a_folder_of_feeds(project: Project) -> None:
    project.component("sales", "feeds: feeds")
    project.write("sales/feeds/orders.yaml", ORDERS)
    project.write("sales/feeds/visits.yml", "columns: {page: text}\nidentity: content\n")
    found = project.load()
    dg.Definitions.validate_loadable(found)
    assert project.feeds() == {"orders", "visits"}
    assert {"orders:id_is_unique", "orders:can_be_loaded", "visits:row_id_is_unique"} < checks(found)
    # What is declared since is known to the next run.
    project.write("sales/feeds/later.yaml", ORDERS)
    assert "later" in catalog(load_settings()).feeds


def test_beside_its_defs_yaml(project: Project) -> None:
    project.component("sales", "feeds: .")
    project.write("sales/orders.yaml", ORDERS)
    assert project.feeds() == {"orders"}


def test_what_is_written_stays_what_it_is(project: Project) -> None:
    """Dagster's own reader makes False, 8, 45000 and nothing of it."""
    project.component(
        "sales",
        """
        name: on
        columns:
          on: {type: text, in: [NO, 010, 12:30, 1e3, ~, 2026-01-31]}
          off: bigint
        nulls: [~, null, NO]
        skip: 010
        identity: content
        """,
    )
    assert project.feeds() == {"on"}
    feed = catalog(load_settings()).feeds["on"]
    assert feed.columns[0].values == ("NO", "010", "12:30", "1e3", "~", "2026-01-31")
    assert (feed.names, feed.columns[1].nulls, feed.dialect.skip) == (("on", "off"), ("~", "null", "NO"), 10)


def test_several_components_share_what_is_the_locations(project: Project) -> None:
    project.component("sales", "feeds: feeds")
    project.write("sales/feeds/orders.yaml", ORDERS)
    visits = "name: visits\ncolumns: {page: text}\nidentity: content"
    project.component("web", visits, f"---\n{TYPE}attributes: {{name: clicks, columns: {{id: bigint}}, ")
    with (project.defs / "web" / "defs.yaml").open("a") as file:
        file.write("primary_key: id}\n")
    project.write("own.py", "import dagster as dg\n\n@dg.asset(deps=['visits'])\ndef pages() -> None: ...\n")
    found = project.load()
    dg.Definitions.validate_loadable(found)
    assert project.feeds() == {"orders", "visits", "clicks", "pages"}
    repository = found.get_repository_def()
    sensors = [sensor.name for sensor in repository.sensor_defs]
    assert sorted(sensors) == ["check_alerts", "ledger_age", "live_mode", "new_csv_files"]
    ingest = repository.get_job("ingest").asset_layer.executable_asset_keys
    assert {key.to_user_string() for key in ingest} == {"orders", "visits", "clicks", *OF_THE_LOCATION}
    declared = (found.resources or {})["ecom_declared"].resource_fn(None)
    assert declared.names == ["orders", "visits", "clicks"]
    assert {check for check in checks(found) if check.endswith(":disk_matches_ledger")} == {
        "orders:disk_matches_ledger"
    }
    assert {key.to_user_string() for key in declared.checks} == checks(found)


def test_beside_definitions_of_the_same_project(project: Project) -> None:
    project.component("sales", f"name: orders\n{ORDERS}")
    own = dg.Definitions(
        resources={"postgres": "its own", "pyspark": "its own"},
        executor=dg.multiprocess_executor,
        jobs=[dg.define_asset_job("everything")],
    )
    both = dg.Definitions.merge(project.load(), own)
    dg.Definitions.validate_loadable(both)
    # A load is one process with one Spark session, whatever the project's other jobs are.
    assert both.resolve_job_def("ingest").executor_def.name == "in_process"
    assert both.resolve_job_def("everything").executor_def.name == "multiprocess"


def test_what_a_defs_yaml_says_of_its_assets_holds_for_them(project: Project) -> None:
    for name in ("orders", "visits"):
        group = f"post_processing:\n  assets: [{{target: '*', attributes: {{group_name: of_{name}}}}}]\n"
        project.component(name, f"name: {name}\n{ORDERS}", group)
    assert {name: spec.group_name for name, spec in project.assets().items()} == {
        "orders": "of_orders",
        "visits": "of_visits",
        # They come with the first.
        "duplicate_audit": "of_orders",
        "performance_report": "of_orders",
    }


def test_a_mistake_breaks_its_own_asset(project: Project) -> None:
    project.component("sales", "feeds: feeds")
    project.write("sales/feeds/orders.yaml", ORDERS)
    project.write("sales/feeds/wrong.yaml", "columns: {id: bigger}\nidentity: content\n")
    file = project.component("web", "name: visits\ncolumns:\n  page: {type: text, in: []}\nidentity: content")
    assets = project.assets()
    assert set(assets) - OF_THE_LOCATION == {"orders", "wrong", "visits"}
    assert "wrong.yaml, line 1: columns.id.type: 'bigger' is no type" in (assets["wrong"].description or "")
    assert f"{file}, line 5: columns.page.in" in (assets["visits"].description or "")
    assert {check for check in checks(project.load()) if check.startswith(("wrong:", "visits:"))} == {
        "wrong:can_be_loaded",
        "visits:can_be_loaded",
    }


MISTAKES = {
    "no attributes": ("", 2, "attributes is missing"),
    "no name": (ORDERS, 2, "name is missing"),
    "a list": ("feeds: [a, b]", 3, "feeds is a list"),
    "both": ("feeds: feeds\ncolumns: {id: bigint}", 4, "columns stands beside feeds"),
    "no folder": ("feeds: feeds", 3, "feeds is 'feeds', and there is no folder"),
    "a template": ("feeds: '{{ env.FEEDS }}'", 3, "'{{ env.FEEDS }}' is a template, and none is filled in"),
    "twice": ("feeds: feeds\nfeeds: feeds", 4, "feeds stands twice, first in line 3"),
    "an anchor": ("feeds: &here feeds", 3, "&here names a place to refer to"),
}


@pytest.mark.parametrize(("attributes", "line", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_what_no_feed_can_be_made_of(project: Project, attributes: str, line: int, said: str) -> None:
    """It is an asset called as its folder is, which says so; the others are as they were."""
    project.component("others", f"name: orders\n{ORDERS}")
    file = project.component("Of-the web", attributes)
    assets = project.assets()
    assert set(assets) - OF_THE_LOCATION == {"orders", "of_the_web"}
    description = assets["of_the_web"].description or ""
    assert f"{file}, line {line}: " in description
    assert said in description


def test_a_feed_that_two_components_declare(project: Project) -> None:
    first = project.component("a", f"name: orders\n{ORDERS}")
    second = project.component("b", f"name: orders\n{ORDERS}")
    project.component("c", f"name: visits\n{ORDERS}")
    assets = project.assets()
    assert set(assets) - OF_THE_LOCATION == {"orders", "visits"}
    said = f"{first} and {second} both declare the feed orders. Leave one of them."
    assert said in " ".join((assets["orders"].description or "").split())


def test_a_component_without_feeds_is_none(project: Project) -> None:
    project.component("sales", "feeds: feeds")
    (project.defs / "sales" / "feeds").mkdir()
    assert project.assets() == {}


def test_declarations_are_looked_for_in_one_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.component("sales", "feeds: feeds")
    orders = project.write("sales/feeds/orders.yaml", ORDERS)
    for right in (project.defs, project.folder, orders.parent):
        monkeypatch.setenv("ECOM_FEEDS_DIR", str(right))
        assert project.feeds() == {"orders"}
    monkeypatch.setenv("ECOM_FEEDS_DIR", str(project.folder / "elsewhere"))
    with pytest.raises(ComponentTreeException) as caught:
        project.load()
    assert f"elsewhere, and the feed orders is declared in {orders}" in str(caught.value.__cause__)


def test_a_name_of_ours_is_told_and_is_no_asset(project: Project) -> None:
    """There would be two of that name, and no code location."""
    project.component("sales", "feeds: feeds")
    project.write("sales/feeds/orders.yaml", ORDERS)
    project.write("sales/feeds/duplicate_audit.yaml", ORDERS)
    dg.Definitions.validate_loadable(project.load())
    assert project.feeds() == {"orders"}
    assert set(catalog(load_settings()).problems) == {"duplicate_audit"}


def test_two_without_a_name_in_one_file(project: Project) -> None:
    project.component("web", ORDERS, f"---\n{TYPE}attributes: {{columns: {{a: text}}}}\n")
    assert project.feeds() == {"web", "web_2"}


def test_a_type_by_another_name(project: Project) -> None:
    """Dagster finds the class there as well; `ecom` would not know the feed."""
    own = "from ecom_platform.components import FeedComponent\n\n\nclass Mine(FeedComponent): ...\n"
    project.write("mine.py", own)
    for name in ("ecom_platform.orchestration.component.FeedComponent", f"{project.package}.defs.mine.Mine"):
        project.write("sales/defs.yaml", f"type: {name}\nattributes: {{feeds: .}}\n")
        with pytest.raises(ComponentTreeException) as caught:
            project.load()
        assert f"Say `type: {COMPONENT}`" in str(caught.value.__cause__)


def test_what_no_component_has_is_loaded_with_the_first() -> None:
    found = catalog(load_settings({}))
    fine = found.feeds["user_events"]
    found.feeds.update(orders=fine, visits=fine, clicks=fine)
    whole = DeclaredFeeds(found, only=["orders", "visits", "clicks"])
    first = whole.of_component(["orders", "visits"], leading=True)
    second = whole.of_component(["clicks"], leading=False)
    keys = [dg.AssetKey(name) for name in ("orders", "visits", "clicks")]
    assert first.chosen(keys[:1]) == {"orders"}
    assert first.chosen(keys) == AllBut(frozenset({"clicks"}))
    every = first.chosen(keys)
    assert every is not None
    assert "declared_since" in every and "user_events" in every and "clicks" not in every
    assert second.chosen(keys) == {"clicks"}
    assert whole.of_component(whole.names, leading=True).chosen(keys) == AllBut(frozenset())
    assert (first.first, second.first) == (dg.AssetKey("orders"), dg.AssetKey("orders"))


def test_what_dg_scaffolds_loads(project: Project) -> None:
    folder = project.defs / "sales"
    scaffold_object(folder, COMPONENT, None, "yaml", project.folder)
    assert project.assets() == {}
    project.write("sales/feeds/orders.yaml", ORDERS)
    assert project.feeds() == {"orders"}
    with pytest.raises(UsageError, match="in Python"):
        scaffold_object(folder, COMPONENT, None, "python", project.folder)


class TestThePage:
    """docs/components.md: what it shows is what there is."""

    @pytest.fixture
    def page(self) -> str:
        return (Path(__file__).parents[3] / "docs" / "components.md").read_text("utf-8")

    def test_its_files_load(self, project: Project, page: str) -> None:
        folder, inline = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
        project.write("sales/defs.yaml", folder)
        project.write("sales/feeds/orders.yaml", ORDERS)
        project.write("web/defs.yaml", inline)
        assert project.feeds() == {"orders", "visits"}

    def test_it_names_all_that_there_is(self, project: Project, page: str) -> None:
        project.component("sales", f"name: orders\n{ORDERS}")
        found = project.load()
        repository = found.get_repository_def()
        there = {
            "assets": OF_THE_LOCATION,
            "jobs": {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"},
            "sensors": {sensor.name for sensor in repository.sensor_defs},
            "schedules": {schedule.name for schedule in repository.schedule_defs},
            "resources": set(found.resources or {}),
        }
        said = re.findall(rf"^\| ({'|'.join(there)}) (.*?) \|", page, re.MULTILINE)
        assert {kind: set(re.findall(r"`(\w+)`", names)) for kind, names in said} == there


def test_tools_are_shown_the_words_of_a_declaration() -> None:
    types = {
        key.to_typename(): found
        for key, found in discover_package_objects(["ecom_platform.components"]).items()
    }
    assert set(types) == {"ecom_platform.components.FeedComponent"}
    words = FeedAttributes.model_json_schema()["properties"]
    assert {"name", "feeds", "columns", "primary_key", "identity", "checks"} <= set(words)
    assert words["delimiter"]["description"] == "What stands between two fields."
