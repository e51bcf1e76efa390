"""``FeedComponent``: feeds among the definitions of another Dagster project, by a `defs.yaml`.

Belongs here: from the project's tree of components to definitions. Does not belong here: reading what the
`defs.yaml` says (``feeds.component_file``), finding it (``declarations``), or the definitions
(``code_location``).

Each component has the assets and the checks of its own feeds, so that what its `defs.yaml` says under
`post_processing` holds for them. Jobs, sensors, schedules and resources are the code location's: they come
with the first component that has feeds, and are of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import dagster as dg
from pydantic import BaseModel, ModelWrapValidatorHandler, model_validator

from ecom_platform.catalog import Catalog, catalog
from ecom_platform.declarations import Source, is_read, of_component
from ecom_platform.errors import SettingsError, UsageError
from ecom_platform.feeds.component_file import COMPONENT, COMPONENT_FILES
from ecom_platform.feeds.words import FeedWords
from ecom_platform.orchestration.code_location import feed_definitions, platform_definitions
from ecom_platform.orchestration.declared import DeclaredFeeds
from ecom_platform.orchestration.workload import Workload
from ecom_platform.settings import Settings, load_settings, usual_feeds_dir

_OF_A_COMPONENT = {
    "feeds": "A folder of declarations, one `NAME.yaml` each, in place of all other words.",
    "name": "What asset, table and landing folder are called.",
}


class FeedAttributes(BaseModel):
    """What may stand under `attributes`: the words of a declaration, for the tools that show them.

    Dagster hands over values that its own reader made of the text, `8` for `010`, and would let one mistake
    break the whole code location. So nothing is judged here, nor said of types: the component reads the file
    again.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _as_it_stands(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ARG003
        return cls.model_construct()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        words = {field.alias or name: field.description for name, field in FeedWords.model_fields.items()}
        words = {**_OF_A_COMPONENT, **words}
        return {
            "type": "object",
            "properties": {word: {"description": said} for word, said in words.items()},
            "additionalProperties": False,
        }


class FeedScaffolder(dg.Scaffolder[Any]):
    """What `dg scaffold defs` writes: a component with an empty folder, no asset until a feed is in it."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        if request.scaffold_format != "yaml":
            raise UsageError("A FeedComponent cannot be written in Python.", "Leave `--format` out.")
        folder = request.target_path.parent if request.append else request.target_path
        (folder / "feeds").mkdir(exist_ok=True)
        dg.scaffold_component(request, {"feeds": "feeds"})


@dg.scaffold_with(FeedScaffolder)
@dataclass(frozen=True)
class FeedComponent(dg.Component):
    """Feeds of files, each an asset with its checks: the table that ecom_platform loads from what lands.

    `attributes` has the declaration of one feed with its `name`, or `feeds: FOLDER`, a folder with one
    `NAME.yaml` for each. docs/components.md.
    """

    file: Path
    # Which document of the file it is.
    number: int

    @classmethod
    def get_model_cls(cls) -> type[BaseModel] | None:
        return FeedAttributes

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:  # noqa: ARG003
        place = context.component_path
        folder, number = place.file_path, place.instance_key
        file = next((folder / name for name in COMPONENT_FILES if (folder / name).is_file()), None)
        if file is None or not isinstance(number, int):
            raise SettingsError(
                f"{folder}: a FeedComponent stands in no {COMPONENT_FILES[0]}.",
                f"Write a {COMPONENT_FILES[0]} with `type: {COMPONENT}`: `ecom` and Spark read it as well.",
            )
        return cls(file, number)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        usual_feeds_dir(context.defs_module_path)
        settings, workload = load_settings(), Workload()
        found = catalog(settings)
        parts = dict(_parts(context.component_tree.get_all_components(FeedComponent), found))
        self._require_found(settings, found)
        own = parts.get(self)
        if own is None:
            return dg.Definitions()
        leading = next(iter(parts)) == self
        whole = DeclaredFeeds(found, only=[name for names in parts.values() for name in names])
        # Steps of one run have different names, those of the project's own assets included.
        feeds = feed_definitions(
            whole.of_component(own, leading=leading), workload, lambda step: f"ecom_{step}_{own[0]}"
        )
        if not leading:
            return feeds
        return dg.Definitions.merge(feeds, platform_definitions(settings, whole, workload))

    def names(self, found: Catalog) -> list[str]:
        """Its feeds, those whose declaration cannot be used included."""
        return [
            declaration.name
            for declaration in of_component(self.file, self.number)
            if _same(found, declaration.name, declaration.source)
        ]

    def _require_found(self, settings: Settings, found: Catalog) -> None:
        """Sensor, runs and `ecom` look for declarations in one folder, by the name of the type: what is
        elsewhere, or of a class of somebody's own, would be an asset here and unknown there."""
        if not is_read(self.file, self.number):
            raise SettingsError(
                f"{self.file}: the type of a component of feeds is not called {COMPONENT}.",
                f"Say `type: {COMPONENT}`.",
            )
        for declaration in of_component(self.file, self.number):
            if declaration.name not in found.sources:
                raise SettingsError(
                    f"ECOM_FEEDS_DIR is {settings.feeds_dir}, and the feed {declaration.name} is declared in "
                    f"{declaration.source}.",
                    "Let it be the project's folder of definitions, or unset it.",
                )


def _same(found: Catalog, name: str, source: Source) -> bool:
    known = found.sources.get(name)
    return (
        known is not None and known.number == source.number and known.path.resolve() == source.path.resolve()
    )


def _parts(components: list[FeedComponent], found: Catalog) -> Iterator[tuple[FeedComponent, list[str]]]:
    """The components that have feeds, each with the names of those that none before it has."""
    taken: set[str] = set()
    for component in components:
        names = [name for name in component.names(found) if name not in taken]
        taken |= set(names)
        if names:
            yield component, names
