"""What the default model learns from."""
