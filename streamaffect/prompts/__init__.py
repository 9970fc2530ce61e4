"""Prompts: sentences of the user's as classes, changed while the stream runs."""
