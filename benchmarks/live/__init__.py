"""Benchmarks of whole runs, started as a user starts them."""
