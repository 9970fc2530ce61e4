"""The parts of `benchmarks/soak.py`: the camera, what is seen of the process, the figures by minute, the curve."""
