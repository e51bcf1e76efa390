"""The Java that Spark runs on: which one, and how it starts quickly.

Belongs here: finding it, and its class archive. Does not belong here: the JVM's life (``streaming.session``).
"""
