"""A small inflated network for videos with one class: 3D convolutions, a class score per frame, softmax pooling.

The published network is VGG-16 pre-trained on faces, inflated. This one has the same parts at any size; the published
shape is `size=224` and `stages=((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)`, but for two layers of 4096
before the head, which are left out.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from .inflation import Inflation, TimePadding, inflate
from .pooling import FrameClassifier, PooledScores, SoftmaxPooling

PIXEL_MEAN, PIXEL_STD = 110.0, 60.0


class VideoClassifier(nn.Module):
    """Grey videos to log-probabilities of K classes and scores of all their clips: (B, L, S, S), 0 to 255.

    classes: K. size: S. stages: channels of the convolutions of each stage; a stage ends by halving height and width
    frames:  F, length of a clip. beta: of the pooling, see `SoftmaxPooling`
    """

    def __init__(
        self,
        classes: int,
        *,
        size: int,
        stages: Sequence[Sequence[int]],
        frames: int,
        beta: float = 1.0,
        inflation: Inflation = "average",
        time_padding: TimePadding = "zeros",
    ) -> None:
        super().__init__()
        self.trunk = inflate(picture_network(stages), mode=inflation, time_padding=time_padding)
        self.head = FrameClassifier(stages[-1][-1] * (size >> len(stages)) ** 2, classes)
        self.pool = SoftmaxPooling(frames, beta=beta)

    def forward(self, videos: Tensor) -> PooledScores:
        """Any length L; in training L = F and there is one clip."""
        maps = self.trunk(((videos.float() - PIXEL_MEAN) / PIXEL_STD).unsqueeze(1))  # (B, C, L, h, w)
        pooled: PooledScores = self.pool(self.head(maps.transpose(1, 2).flatten(2).transpose(1, 2)))
        return pooled


def picture_network(stages: Sequence[Sequence[int]]) -> nn.Sequential:
    """The 2D network: 3 × 3 convolutions with ReLU, a 2 × 2 maximum after each stage."""
    layers: list[nn.Module] = []
    inputs = 1
    for widths in stages:
        for before, after in pairwise((inputs, *widths)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        inputs = widths[-1]
    return nn.Sequential(*layers)
