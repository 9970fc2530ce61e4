"""What is done with single pictures."""
