"""What is seen and heard, as words."""
