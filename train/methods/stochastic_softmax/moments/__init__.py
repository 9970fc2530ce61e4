"""The pooling as a lens on the shipped bundle: which of the last clips count for what a face shows.

data (clip vectors of the frozen encoders) → fit → run (scores, the lens)
"""
