"""PKDOT: privileged distillation by optimal transport (Aslam et al. 2024)."""
