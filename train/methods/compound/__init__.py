"""Compound emotions by features (Richet et al. 2024)."""
