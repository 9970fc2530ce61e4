"""From crops to estimates: the rolling buffer of clips, the estimator, and calibrated values."""
