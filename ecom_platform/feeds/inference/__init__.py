"""From the values of a file to a declaration that loads them, with its evidence and its doubts.

Belongs here: what columns of texts say about their types, their names and their keys, and the YAML of it.
Does not belong here: bytes, dialects and the proof, which need the reader of files (``files.drafting``).
"""
