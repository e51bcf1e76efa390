"""Open a session, run a first job, say how long each took: a program of ``startup``."""

from __future__ import annotations

import json
import sys
import time

from ecom_platform.java.class_archive import LEAN_OPTIONS
from ecom_platform.java.discovery import find_java
from ecom_platform.settings import load_settings
from ecom_platform.streaming.session import close_session, open_session

OPTIONS = {"as it comes": "-Xshare:auto", "lean": " ".join(LEAN_OPTIONS), "archive": None}

settings = load_settings()
started = time.perf_counter()
session = open_session(settings, java_options=OPTIONS[sys.argv[1]])
opened = time.perf_counter()
session.sparkContext.parallelize([0, 1], 2).map(abs).collect()
done = time.perf_counter()
close_session()
figures = {"java": find_java(settings).version, "session": opened - started, "first_job": done - opened}
print(json.dumps(figures))
