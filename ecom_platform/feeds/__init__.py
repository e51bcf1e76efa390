"""What a row is: the declaration of the event, its types, and the rules that a value has to keep.

Belongs here: pure functions over values and columns. Does not belong here: bytes of files (``files``), tables
(``store``).
"""
