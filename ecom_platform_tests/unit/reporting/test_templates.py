"""What is filled into a template is text, unless it says that it is HTML; what is missing is an error."""

from __future__ import annotations

import subprocess
import sys

import jinja2
import pytest
from markupsafe import Markup

from ecom_platform.reporting.templates import fill


def test_text_is_escaped_and_html_is_not() -> None:
    assert "&lt;b&gt;&amp;" in fill("reporting/plain.html.j2", loads="<b>&", written="now")
    assert "<b>&amp;" in fill("reporting/plain.html.j2", loads=Markup("<b>&amp;"), written="now")


def test_what_is_filled_is_html_for_the_template_around_it() -> None:
    inner = fill("reporting/plain.html.j2", loads="<b>", written="now")
    outer = fill("reporting/plain.html.j2", loads=inner, written="now")
    assert inner in outer


def test_a_value_that_was_forgotten_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="written"):
        fill("reporting/plain.html.j2", loads="")


@pytest.mark.usefixtures("starts_programs")
def test_jinja_is_not_imported_before_there_is_a_page() -> None:
    """A run starts without it, and so does what only plots."""
    program = "import sys, ecom_platform.definitions; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
