"""Early stopping: the best epoch so far, its averaged weights, and whether it is worth going on."""

import math
from collections.abc import Mapping

from torch import Tensor, nn

from ..config import StopConfig
from ..errors import TrainingError


class BestEpoch:
    """Watches one score of the validation.

    epoch:   epochs after which it was best, 0 before the first; score: what it was
    weights: of the averaged model then
    """

    def __init__(self, config: StopConfig) -> None:
        self.epoch = 0
        self.score = math.inf if config.lowest else -math.inf
        self.weights: dict[str, Tensor] = {}
        self._config = config

    def look(self, epoch: int, scores: Mapping[str, float], model: nn.Module) -> None:
        """Keep the weights of `model` after `epoch` epochs where they are the best; a score that is NaN never is.

        Raises:
            TrainingError: the validation has no such score.
        """
        name = self._config.score
        if name not in scores:
            raise TrainingError(f"optimiser.stop.score is {name!r}; this validation gives {', '.join(scores)}")
        is_better = scores[name] < self.score if self._config.lowest else scores[name] > self.score
        if is_better:
            self.restore(epoch, scores[name], model.state_dict())

    def restore(self, epoch: int, score: float, weights: Mapping[str, Tensor]) -> None:
        """Take these as the best, as after a resume."""
        self.epoch, self.score = epoch, score
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def is_over(self, epoch: int) -> bool:
        """Whether there was nothing better for as long as the patience lasts."""
        return epoch - self.epoch >= self._config.patience
