"""What is measured on an NVIDIA GPU: prepared on a machine without one, run where one is at hand."""
