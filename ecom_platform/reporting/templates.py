"""HTML from templates: every value that is filled in is escaped, unless it is HTML already (``Markup``).

Belongs here: how templates are found and filled. Does not belong here: any template (they stand beside the
module that fills them, as ``*.html.j2``), or what goes into one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment


def fill(name: str, **values: object) -> Markup:
    """The template ``name``, its path within the package such as ``reporting/page.html.j2``, filled in.

    Raises ``jinja2.UndefinedError`` if the template uses a value that is not among ``values``.
    """
    filled = _environment().get_template(name).render(values)
    return Markup(filled)  # noqa: S704 (the environment has escaped it)


@cache
def _environment() -> Environment:
    # Imported with the first page: what writes none does not wait for it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("ecom_platform", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
