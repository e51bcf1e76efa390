"""Opens a session with each of several environments, in one JVM, and prints how that went.

The environments come as a JSON list on standard input; the errors (or null) go out as one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from ecom_platform.errors import EcomError
from ecom_platform.settings import load_settings
from ecom_platform.streaming.session import close_session, open_session, stop_session


def refusal(environment: dict[str, str]) -> dict[str, Any] | None:
    try:
        stop_session(open_session(load_settings(environment)))
    except EcomError as error:
        return error.as_json()
    return None


if __name__ == "__main__":
    answers = [refusal(environment) for environment in json.load(sys.stdin)]
    close_session()
    print(json.dumps(answers))
