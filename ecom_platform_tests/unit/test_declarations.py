"""Where declarations are found: a folder of them, and the definitions of another Dagster project."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.declarations import component_folders, declarations, folders, of_component

TYPE = "type: ecom_platform.components.FeedComponent\n"
INLINE = "attributes: {{name: {}, columns: {{a: text}}, identity: content}}\n"
FINE = "columns: {a: text}\nidentity: content\n"


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(folder: Path) -> list[tuple[str, str]]:
    return [(one.name, one.source.path.relative_to(folder).as_posix()) for one in declarations(folder)]


def test_a_folder_of_its_own_and_one_that_is_not_there(tmp_path: Path) -> None:
    write(tmp_path, b=FINE, a="columns: [", below__c=FINE)
    assert found(tmp_path) == [("a", "a.yaml"), ("b", "b.yaml")]
    assert declarations(tmp_path / "nowhere") == []


def test_components_at_every_depth_but_what_is_hidden(tmp_path: Path) -> None:
    write(
        tmp_path,
        web__deep__defs=TYPE + INLINE.format("visits"),
        sales__defs=f"{TYPE}attributes: {{feeds: ../shared}}\n---\ntype: shop.Other\n---\n"
        + TYPE
        + INLINE.format("offers"),
        shared__orders=FINE,
        others__defs="type: dagster.DefsFolderComponent\n",
        **{".git__defs": TYPE + INLINE.format("hidden"), "__pycache____defs": TYPE + INLINE.format("cached")},
    )
    assert found(tmp_path) == [
        ("orders", "sales/../shared/orders.yaml"),
        ("offers", "sales/defs.yaml"),
        ("visits", "web/deep/defs.yaml"),
    ]
    file = tmp_path / "sales" / "defs.yaml"
    assert [[one.name for one in of_component(file, number)] for number in range(3)] == [
        ["orders"],
        [],
        ["offers"],
    ]
    assert component_folders(file) == [tmp_path / "sales" / ".." / "shared"]
    assert folders(tmp_path) == [tmp_path, *component_folders(file)]


def test_a_feed_may_be_called_defs(tmp_path: Path) -> None:
    write(tmp_path, defs=FINE)
    assert found(tmp_path) == [("defs", "defs.yaml")]
    write(tmp_path, defs="type: dagster.DefsFolderComponent\n")
    assert found(tmp_path) == []


def test_a_file_is_found_once(tmp_path: Path) -> None:
    """The folder of a component may be the folder of declarations as well."""
    write(tmp_path, defs=f"{TYPE}attributes: {{feeds: .}}\n", orders=FINE)
    assert found(tmp_path) == [("orders", "orders.yaml")]


@pytest.mark.parametrize(
    ("text", "whose"), [(f"{TYPE}attributes: [", ["web"]), ("type: shop.Other\nattributes: [", [])]
)
def test_a_file_that_is_no_yaml(tmp_path: Path, text: str, whose: list[str]) -> None:
    write(tmp_path, web__defs=text)
    assert [one.name for one in declarations(tmp_path)] == whose
    assert all("it is no YAML" in str(one.problem) for one in declarations(tmp_path))


def test_a_file_that_is_no_utf8(tmp_path: Path) -> None:
    write(tmp_path, web__defs=TYPE + INLINE.format("visits"))
    with (tmp_path / "web" / "defs.yaml").open("ab") as file:
        file.write(b"# caf\xe9\n")
    (broken,) = declarations(tmp_path)
    assert broken.name == "web"
    assert "line 3: it is not UTF-8." in str(broken.problem)


def test_links_are_followed_and_end(tmp_path: Path) -> None:
    """As Dagster follows them."""
    defs = tmp_path / "defs"
    write(tmp_path, defs__web__defs=TYPE + INLINE.format("visits"), away__defs=TYPE + INLINE.format("orders"))
    (defs / "web" / "again").symlink_to(defs)
    (defs / "far").symlink_to(tmp_path / "away")
    assert found(defs) == [("orders", "far/defs.yaml"), ("visits", "web/defs.yaml")]


def test_a_folder_of_declarations_with_others_in_it_is_not_looked_through(tmp_path: Path) -> None:
    write(tmp_path, orders=FINE, samples__defs=TYPE + INLINE.format("visits"))
    assert found(tmp_path) == [("orders", "orders.yaml")]
    (tmp_path / "__init__.py").touch()
    assert found(tmp_path) == [("orders", "orders.yaml"), ("visits", "samples/defs.yaml")]
