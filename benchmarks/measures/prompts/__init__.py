"""Faces and figures for prompts."""
