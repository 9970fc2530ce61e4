"""Temporal stochastic softmax (Ayral et al. 2021)."""
