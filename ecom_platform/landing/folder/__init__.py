"""A landing zone in folders: files that are renamed from one to the next.

Only ``landing`` itself imports what is in here: everybody else asks ``landing_places``, ``kept_files`` or
``inspection``, which are of buckets as well.
"""
