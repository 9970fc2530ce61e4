"""Graphs as data: read, counted, and rewritten in half precision or quantised."""
