"""Scores of stills: accuracy and recall on what the crowd agrees on, concordance of valence and arousal."""

import torch
from torch import Tensor

from ...metrics.classification import uar, war
from ...metrics.regression import ccc
from .data.corpus import HeldOut


def score_stills(held_out: HeldOut, emotions: Tensor, affect: Tensor) -> dict[str, float]:
    """emotions (N, 8) shares, affect (N, 2) → CCC; accuracy and mean recall where any majority is clear."""
    valence, arousal = ccc(affect, torch.from_numpy(held_out.stills.affect)).tolist()
    scores = {"ccc_valence": valence, "ccc_arousal": arousal}
    if not held_out.is_clear.any():
        return scores
    clear = torch.from_numpy(held_out.is_clear)
    truth = torch.from_numpy(held_out.stills.emotions).argmax(dim=1)[clear]
    guess = emotions.argmax(dim=1)[clear]
    return {"accuracy": float(war(guess, truth)), "mean_recall": float(uar(guess, truth))} | scores
