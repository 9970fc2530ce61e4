"""A small inflated network for videos with one class: 3D convolutions, a class score per frame, softmax pooling.

The published network is VGG-16 pre-trained on faces, inflated. This one has the same parts at any size; the published
shape is `size=224` and `stages=((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)`, but for two layers of 4096
before the head, which are left out.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...errors import DataError
from .inflation import inflate
from .pooling import FrameClassifier, PooledScores, SoftmaxPooling
from .recipe import PIXEL_MEAN, PIXEL_STD, Inflation, StochasticSoftmaxRecipe, TimePadding

_CONVOLUTIONS = "features."  # where published 2D networks of this kind keep their convolutions


class VideoClassifier(nn.Module):
    """Grey videos to log-probabilities of K classes and scores of all their clips: (B, L, S, S), 0 to 255.

    classes:      K. size: S
    stages:       channels of the convolutions of each stage; a stage ends by halving height and width
    frames:       F, length of a clip. beta: of the pooling, see `SoftmaxPooling`
    inflate_from: the first stage that sees neighbouring frames; those before it stay 2D and see each frame alone.
                  Published is 0: all stages
    pictures:     a 2D network of the same stages whose weights are taken over; without it they are random
    pixel_mean, pixel_std: what is taken off each grey level, and what divides the rest

    Raises ValueError if no stage would be inflated.
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
        inflate_from: int = 0,
        pictures: nn.Sequential | None = None,
        pixel_mean: float = PIXEL_MEAN,
        pixel_std: float = PIXEL_STD,
    ) -> None:
        super().__init__()
        if not 0 <= inflate_from < len(stages):
            raise ValueError(f"inflation must begin with one of the stages 0 to {len(stages) - 1}, not {inflate_from}")
        layers = picture_network(stages) if pictures is None else pictures
        split = sum(2 * len(stage) + 1 for stage in stages[:inflate_from])
        self.frame_trunk = layers[:split]
        self.trunk = inflate(layers[split:], mode=inflation, time_padding=time_padding)
        self.head = FrameClassifier(stages[-1][-1] * (size >> len(stages)) ** 2, classes)
        self.pool = SoftmaxPooling(frames, beta=beta)
        side = size >> inflate_from
        self.map_shape = (stages[inflate_from - 1][-1] if inflate_from else 1, side, side)
        self.pixel_mean = pixel_mean
        self.pixel_std = pixel_std

    def encode_frames(self, pictures: Tensor) -> Tensor:
        """What is computed of each frame alone: (N, S, S) → (N, D), D values of the maps before the inflated stages."""
        maps: Tensor = self.frame_trunk(((pictures.float() - self.pixel_mean) / self.pixel_std).unsqueeze(1))
        return maps.flatten(1)

    def score_frames(self, features: Tensor) -> Tensor:
        """What is computed of frames together: (B, L, D) → class scores (B, K, L)."""
        maps = self.trunk(features.reshape(*features.shape[:2], *self.map_shape).transpose(1, 2))  # (B, C, L, h, w)
        scores: Tensor = self.head(maps.transpose(1, 2).flatten(2).transpose(1, 2))
        return scores

    def forward(self, videos: Tensor) -> PooledScores:
        """Any length L; in training L = F and there is one clip."""
        features = self.encode_frames(videos.flatten(0, 1)).reshape(*videos.shape[:2], -1)
        pooled: PooledScores = self.pool(self.score_frames(features))
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


def load_picture_weights(network: nn.Sequential, state: Mapping[str, Tensor]) -> None:
    """Copy the convolutions of a published 2D network into one of `picture_network`, in place.

    state: `<layer>.weight` and `<layer>.bias`, numbered as in the network, as VGG numbers them; all others are left
           out. Under the prefix "features." where any name has it. A first kernel for three colours becomes the one
           that gives the same on grey pictures.

    Raises ValueError that names the missing or misshapen weights; the network is then unchanged.
    """
    prefix = _CONVOLUTIONS if any(name.startswith(_CONVOLUTIONS) for name in state) else ""
    found = {}
    for name, ours in network.state_dict().items():
        if (value := state.get(prefix + name)) is None:
            raise ValueError(f"has no {prefix + name}; the stages of the recipe must be those of the 2D network")
        if ours.ndim == 4 and ours.shape[1] == 1 and value.shape[1] != 1:
            value = value.sum(dim=1, keepdim=True)
        if value.shape != ours.shape:
            raise ValueError(f"{prefix + name} is {tuple(value.shape)}, expected {tuple(ours.shape)}")
        found[name] = value
    network.load_state_dict(found)


def make_network(recipe: StochasticSoftmaxRecipe) -> VideoClassifier:
    """The network of the recipe before training: inflated 2D weights, or random ones.

    Raises DataError if `start_from` cannot be read or belongs to another network, or `inflate_from` to no stage.
    """
    try:
        pictures = picture_network(recipe.stages)
        if recipe.start_from:
            load_picture_weights(pictures, load_file(recipe.start_from))
        return VideoClassifier(
            len(recipe.classes), size=recipe.size, stages=recipe.stages, frames=recipe.frames, beta=recipe.beta,
            inflation=recipe.inflation, time_padding=recipe.time_padding, inflate_from=recipe.inflate_from,
            pictures=pictures, pixel_mean=recipe.pixel_mean, pixel_std=recipe.pixel_std,
        )  # fmt: skip
    except (OSError, SafetensorError) as error:
        raise DataError(f"{recipe.start_from}: cannot be read ({error}); start_from takes safetensors, see "
                        "python -m train convert") from error  # fmt: skip
    except ValueError as error:
        raise DataError(f"{recipe.start_from or recipe.name}: {error}") from error
