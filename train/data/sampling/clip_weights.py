"""Which clip of a video to train on: drawn from a running estimate of how well each clip shows the video's class.

Ayral et al., WACV 2021. A video of L frames has n = max(1, L - F + 1) clip starts, each with a weight w, the score that
the network last gave to the true class there. Three phases follow one another:

warm-up      starts are uniform, weights stay 0
exploration  each video visits E evenly spread starts, once each; a visit sets the weights of its neighbourhood
softmax      starts are drawn from softmax(beta w); a visit moves the weights nearby towards the new score

What is drawn depends on the seed, the video and the epoch alone, never on the order of calls: a run that is resumed
with the saved weights goes on as if it had not stopped.
"""

import math
from collections.abc import Mapping, Sequence
from enum import Enum

import numpy as np
import torch
from torch import Tensor

VideoId = str | int


class Phase(Enum):
    """What an epoch does with the weights."""

    WARM_UP = "warm-up"
    EXPLORATION = "exploration"
    SOFTMAX = "softmax"


class ClipWeights:
    """The weights of all clip starts of all training videos, and the draws from them.

    lengths:            L of each video, in frames, by the video's id; of a sequence, the id is the place in it
    frames:             F, length of a clip
    warm_up_epochs:     W; epochs count from 1, as in the paper
    exploration_epochs: E, 0 to explore nothing
    beta:               inverse temperature of the draw
    seed:               of all draws

    Raises ValueError if E is 1 (a grid of one start has no spacing), or if a length or `frames` is below 1.
    """

    def __init__(
        self,
        lengths: Mapping[str, int] | Mapping[int, int] | Sequence[int],
        *,
        frames: int = 16,
        warm_up_epochs: int = 3,
        exploration_epochs: int = 5,
        beta: float = 1.0,
        seed: int = 0,
    ) -> None:
        named: dict[VideoId, int] = dict(lengths.items() if isinstance(lengths, Mapping) else enumerate(lengths))
        empty = [video for video, length in named.items() if length < 1]
        if frames < 1 or empty:
            raise ValueError(f"clips and videos need frames, found clips of {frames}, and none in the videos {empty}")
        if exploration_epochs == 1:
            raise ValueError("one exploration epoch gives no grid of starts; take 2 or more, or 0 for none")
        self.frames = frames
        self.warm_up_epochs = warm_up_epochs
        self.exploration_epochs = exploration_epochs
        self.beta = beta
        self.seed = seed
        self._places = {video: place for place, video in enumerate(named)}
        self._weights = {video: torch.zeros(max(1, length - frames + 1)) for video, length in named.items()}

    def phase(self, epoch: int) -> Phase:
        """What epoch 1, 2, … does."""
        if epoch <= self.warm_up_epochs:
            return Phase.WARM_UP
        return Phase.EXPLORATION if epoch <= self.warm_up_epochs + self.exploration_epochs else Phase.SOFTMAX

    def weights(self, video: VideoId) -> Tensor:
        """w of each start: (n,) float32, a copy. KeyError for a video that is not known."""
        return self._weights[video].clone()

    def probabilities(self, video: VideoId) -> Tensor:
        """How likely each start is in the softmax phase: (n,) float32, sum 1."""
        return (self.beta * self._weights[video]).softmax(dim=0)

    def draw(self, video: VideoId, epoch: int) -> int:
        """The start of the clip to train on in this epoch: in [0, n). A video no longer than a clip starts at 0."""
        starts = len(self._weights[video])
        phase = self.phase(epoch)
        if phase is Phase.EXPLORATION:
            visits = self._generator(video, phase, 0).permutation(self.exploration_epochs)
            return int(self.grid(video)[visits[epoch - self.warm_up_epochs - 1]])
        generator = self._generator(video, phase, epoch)
        if phase is Phase.WARM_UP:
            return int(generator.integers(starts))
        cumulative = self.probabilities(video).double().cumsum(dim=0)
        drawn = generator.uniform(0, float(cumulative[-1]))
        return min(int(torch.searchsorted(cumulative, drawn, right=True)), starts - 1)

    def grid(self, video: VideoId) -> Tensor:
        """The starts that exploration visits: (E,) int64, rising from 0 to n - 1. A short video repeats some."""
        last = len(self._weights[video]) - 1
        return torch.arange(self.exploration_epochs) * last // max(1, self.exploration_epochs - 1)

    def update(self, video: VideoId, start: int, score: float | Tensor, epoch: int) -> None:
        """Learn from one forward pass.

        start: where the clip began, as `draw` gave it. score: what the network gave the true class there, before any
        softmax; published is the score of the augmented clip with dropout on, that of the clean clip in evaluation
        mode is less noisy and costs a second pass.

        Raises ValueError if `start` is no start of this video.
        """
        starts = len(self._weights[video])
        if not 0 <= start < starts:
            raise ValueError(f"video {video} has the starts 0 to {starts - 1}, found {start}")
        phase = self.phase(epoch)
        if phase is Phase.EXPLORATION:
            self._overwrite(self._weights[video], start, float(score))
        if phase is Phase.SOFTMAX:
            self._approach(self._weights[video], start, float(score))

    def state_dict(self) -> dict[str, Tensor]:
        """The weights by the text of the video's id, each (n,) float32: all that training changes."""
        return {str(video): weights.clone() for video, weights in self._weights.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over saved weights. Raises ValueError, unchanged, unless videos and their numbers of starts agree."""
        ours = {str(video): len(weights) for video, weights in self._weights.items()}
        if ours != {video: len(weights) for video, weights in state.items()}:
            raise ValueError("the saved clip weights belong to other videos or another clip length")
        for video, weights in self._weights.items():
            weights.copy_(state[str(video)])

    def flat(self) -> Tensor:
        """The weights of all videos, one after the other, (sum of n,) float32: for a buffer of the model."""
        return torch.cat(list(self.state_dict().values()))

    def load_flat(self, weights: Tensor) -> None:
        """Take over what `flat` gave. Raises ValueError, unchanged, unless the number of weights agrees."""
        state = self.state_dict()
        lengths = [len(own) for own in state.values()]
        if len(weights) != sum(lengths):
            raise ValueError("the saved clip weights belong to other videos or another clip length")
        self.load_state_dict(dict(zip(state, torch.split(weights.cpu(), lengths), strict=True)))

    def _overwrite(self, weights: Tensor, start: int, score: float) -> None:
        """Half the spacing of the grid to either side, so that the visits of a video cover it."""
        spacing = max(0, len(weights) - self.exploration_epochs) / (self.exploration_epochs - 1)
        reach = math.ceil(spacing / 2)
        weights[max(0, start - reach) : start + reach + 1] = score

    def _approach(self, weights: Tensor, start: int, score: float) -> None:
        """Move each weight by the share of frames that its clip has in common with the one seen."""
        first, end = max(0, start - self.frames), min(start + self.frames, len(weights))
        shared = (self.frames - (torch.arange(first, end) - start).abs()) / self.frames
        weights[first:end] += shared * (score - weights[first:end])

    def _generator(self, video: VideoId, phase: Phase, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, list(Phase).index(phase), self._places[video], epoch])
