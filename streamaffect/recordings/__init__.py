"""Recordings on disk: written, read, played back and exported."""
