"""Errors of training that a user can act on; they end a run with one clear line, like those of the runtime."""

from streamaffect.errors import StreamAffectError


class DataError(StreamAffectError):
    """A data set is incomplete or not as described."""


class TrainingError(StreamAffectError):
    """A run cannot start, continue or be exported."""
