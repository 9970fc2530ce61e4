"""The small frame encoder of the default bundle: 64 × 64 face crops to feature vectors.

Dense 3 × 3 residual blocks with squeeze-excitation where channels are many. At equal multiply-adds they are faster on
a CPU than depth-wise ones, in running and three times so in training: vector units like dense arithmetic.
"""

from torch import Tensor, nn
from torch.nn import functional as F

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV greys a picture
SMALLEST_STD = 6.0  # of 255: below it a crop is flat, and standardising would only amplify noise


class ConvNorm(nn.Sequential):
    """Convolution and batch normalisation; export folds them into one."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by a gate that sees the whole picture."""

    def __init__(self, channels: int, *, reduction: int = 8) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        gate: Tensor = self.excite(F.relu(self.squeeze(maps.mean(dim=(2, 3))))).sigmoid()
        return maps * gate[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut; with a stride the shortcut averages before it projects."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, excitation: bool) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, stride=stride)
        self.second = ConvNorm(outputs, outputs)
        self.excitation = SqueezeExcitation(outputs) if excitation else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, ConvNorm(inputs, outputs, kernel=1))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H / stride, W / stride)."""
        inner = self.second(F.relu(self.first(maps)))
        return F.relu(self.shortcut(maps) + self.excitation(inner))


class FrameEncoder(nn.Module):
    """Crops to features. Grey conversion and standardisation are part of the network.

    dim:    D, width of a feature
    widths: channels of the stages; the stem and each stage after the first halve the resolution
    depths: residual blocks per stage
    """

    def __init__(self, dim: int, *, widths: tuple[int, ...], depths: tuple[int, ...]) -> None:
        super().__init__()
        self.dim = dim
        self.stem = ConvNorm(1, widths[0], stride=2)
        blocks: list[nn.Module] = []
        channels = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(channels, width, stride=stride, excitation=stage >= 2))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.expand = ConvNorm(channels, 2 * channels, kernel=1)
        self.project = nn.Linear(2 * channels, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, crops: Tensor) -> Tensor:
        """crops (N, S, S, 3) uint8 RGB → features (N, D) float32."""
        return self.encode_grey(grey(crops))

    def encode_grey(self, pictures: Tensor) -> Tensor:
        """pictures (N, S, S) grey, 0 to 255 → features (N, D)."""
        maps = F.relu(self.stem(standardise(pictures.float())[:, None]))  # (N, C, S/2, S/2)
        maps = F.relu(self.expand(self.blocks(maps)))
        features: Tensor = self.norm(self.project(maps.mean(dim=(2, 3))))
        return features


def grey(crops: Tensor) -> Tensor:
    """(N, S, S, 3) uint8 RGB → (N, S, S) float32, 0 to 255.

    A row times a matrix of all pixels: of the ways to write this sum, the one that every engine runs fast. Every pixel
    times a column took a quarter of the whole encoder's time in ONNX Runtime. Bytes become floats before anything is
    done with them, since TensorRT moves no bytes.
    """
    pixels = crops.float().flatten(1, 2).transpose(1, 2)  # (N, 3, S · S)
    row = pixels.new_tensor(LUMINANCE).view(1, 3)
    return (row @ pixels).view(crops.shape[:3])


def standardise(pictures: Tensor) -> Tensor:
    """(N, S, S) → each picture with mean 0 and standard deviation 1: light and contrast no longer count."""
    centred = pictures - pictures.mean(dim=(1, 2), keepdim=True)
    std = centred.square().mean(dim=(1, 2), keepdim=True).sqrt()
    return centred / std.clamp(min=SMALLEST_STD)
