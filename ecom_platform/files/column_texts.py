"""The texts of one column for all plain lines of a block.

Belongs here: which fields they are made of. Does not belong here: what they mean (``feeds``), where fields
are (``splitting``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from ecom_platform.feeds.places import Places
from ecom_platform.files.splitting import Block


def column_texts(block: Block, places: Sequence[int], joined: str) -> Places:
    """The texts of a column that is made of the fields in ``places``, with ``joined`` between them."""
    if not places:
        none = np.zeros(len(block.plain), dtype=np.int64)
        return Places(block.data, none, none)
    parts = [Places(block.data, block.field_begins[place], block.field_ends[place]) for place in places]
    if len(parts) == 1:
        return parts[0]
    return Places.of(pc.binary_join_element_wise(*(part.strings() for part in parts), joined))
