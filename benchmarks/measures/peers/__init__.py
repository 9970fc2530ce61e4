"""The parts of `benchmarks/peers.py`: how each is installed, what reads the video with it, the turns."""
