"""The training loop and what keeps a run: checkpoints, logs, progress, report."""
