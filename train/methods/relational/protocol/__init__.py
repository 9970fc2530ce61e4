"""Published evaluation protocols of relational regression, fold by fold.

recipe → data (clips, their divisions, windows of faces) → model, loss → task (one fold) → folds (scores) → run
"""
