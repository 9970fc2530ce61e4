"""The parts of `benchmarks/faults.py`: cameras that fail, the program that reads them, and what is seen of it."""
