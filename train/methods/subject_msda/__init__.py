"""Subject-based domain adaptation (Zeeshan et al., FG 2024): many labelled people teach about one unlabelled person.

recipe → data (people as features) → loss (discrepancies, pseudo-labels), model (the head), task → bundle → run; beside
it personal (a whole bundle fitted to one person's own videos)
"""

from .loss import coral, mmd, select_pseudo_labels

__all__ = ["coral", "mmd", "select_pseudo_labels"]
