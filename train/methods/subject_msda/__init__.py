"""Subject-based domain adaptation (Zeeshan et al. 2024)."""
