"""Guidance by action units (Belharbi et al. 2024)."""
