"""Compound emotions by text (Richet et al. 2024)."""
