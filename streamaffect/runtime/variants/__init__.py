"""Twins of a bundle's graphs in other precisions: tried once on each machine, taken where they are right and faster."""
