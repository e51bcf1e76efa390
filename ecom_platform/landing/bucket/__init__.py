"""A landing zone in a bucket: what ``landing`` does with folders, done with objects.

Belongs here: what differs from folders. An object cannot be renamed, it appears whole, and its ETag says
whether it is still the same. Does not belong here: asking the store (``objects``), or reading what is in an
object, which the unit of work does from a copy of its own (``streaming.copies``).
"""
