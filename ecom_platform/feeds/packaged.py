"""Where the feeds are declared that the package brings: beside the code of each workload.

Belongs here: finding the declarations, without reading them: tasks have to know no more. Does not belong
here: what any of them says (``catalog.packaged``), which nothing in the engine knows.
"""

from __future__ import annotations

from pathlib import Path

PACKAGED = tuple(sorted(Path(__file__).parent.parent.glob("*/*.yaml")))

# Whose files lie at the top of the landing folder, and whose table the migrations make: the first feed there
# was. Files of the others lie in a folder of their feed's name.
TOP_FEED = PACKAGED[0].stem
