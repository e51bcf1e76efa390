"""From the bytes of a file to typed chunks of rows and rejects.

Belongs here: headers, splitting, decoding. Does not belong here: what a value may be (``feeds``), where files
lie (``landing``).
"""
