"""Takes the pictures of the README: ``python docs/images/make.py``, from the repository's root."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ecom_platform_tests.acceptance import ui

HERE = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="ecom-pictures-") as folder:
        home = Path(folder) / "home"
        with ui.ecom_dev(home) as dev, ui.browser_page(1400, 700) as page:
            run = ui.materialize_all(dev, page)

            def picture(name: str, path: str, wait_for: str, height: int = 700) -> None:
                page.set_viewport_size({"width": 1400, "height": height})
                ui.open_page(dev, page, path)
                page.get_by_text(wait_for).first.wait_for()
                page.wait_for_timeout(3_000)  # fonts, icons, and the graph's own animation
                page.screenshot(path=HERE / f"{name}.png")

            picture("graph", "/asset-groups", "10 / 10 Passed", 560)
            picture("run", f"/runs/{run['runId']}", "duplicate_audit")
            picture("asset", "/assets/user_events?view=overview", "ISO 3166-1", 1100)
            picture(
                "check", "/assets/user_events?view=checks&checkDetail=counts_reconcile", "rows accounted for"
            )


if __name__ == "__main__":
    main()
