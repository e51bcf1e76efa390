"""`make docker-test`, where an engine answers."""

from __future__ import annotations

import pytest

from ecom_platform_tests.acceptance import docker_scenario
from ecom_platform_tests.acceptance.stack import engine_answers


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not engine_answers(), reason="no Docker engine with Compose answers")
def test_the_stack_from_building_to_tearing_down(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        assert docker_scenario.main() == 0
