"""Any vision model of Hugging Face `transformers` as the frame encoder: crops in, one feature vector out.

The model's own normalisation is part of the network, so crops stay what they are in every bundle. `transformers` is
imported when a model is opened.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import TrainingError

# Of ImageNet, for a model that comes without settings of its own.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROBE_PX = 64  # side of the picture that finds out how wide the features are, where the model takes any


class PretrainedEncoder(nn.Module):
    """Crops to features: rescale, normalise, the network, its pooled output, and a linear map where D is another.

    network: of `transformers`; its output has a `pooler_output`, or is averaged over places or tokens
    dim:     D
    scale, mean, std: pictures of 0 to 255 become (scale · picture - mean) / std, per colour
    pixels:  side to which crops are resized first; 0 leaves them as they are
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        dim: int,
        *,
        scale: float = 1 / 255,
        mean: tuple[float, ...] = MEAN,
        std: tuple[float, ...] = STD,
        pixels: int = 0,
    ) -> None:
        super().__init__()
        self.dim = dim
        self.network = network
        self._scale = scale
        self._pixels = pixels
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        width = self._width()
        self.project: nn.Module = nn.Linear(width, dim) if width != dim else nn.Identity()

    def forward(self, crops: Tensor) -> Tensor:
        """crops (N, S, S, 3) uint8 RGB → features (N, D)."""
        pictures = crops.float().permute(0, 3, 1, 2)  # (N, 3, S, S)
        if self._pixels and pictures.shape[-1] != self._pixels:
            pictures = F.interpolate(pictures, (self._pixels, self._pixels), mode="bilinear", align_corners=False)
        out: Tensor = self.project(self._pooled((pictures * self._scale - self.mean) / self.std))
        return out

    def _pooled(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) → (N, W), W of the network."""
        found: Any = self.network(pixel_values=pictures)
        pooled: Tensor | None = getattr(found, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        hidden: Tensor = found.last_hidden_state
        return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.flatten(2).mean(dim=2)

    @torch.no_grad()
    def _width(self) -> int:
        side, is_training = self._pixels or PROBE_PX, self.network.training
        width = self._pooled(torch.zeros(1, 3, side, side) - self.mean).shape[1]
        self.network.train(is_training)
        return int(width)


def open_pretrained(name: str, dim: int, *, revision: str = "", pixels: int = 0) -> PretrainedEncoder:
    """Open a model by its name on the hub, fetched once and then kept by `transformers`, or from a local folder.

    pixels: as `PretrainedEncoder`; 0 takes crops as they are, or for models that are bound to one size, that size

    Raises:
        TrainingError: it cannot be opened, has no weights in safetensors, or takes no pictures.
    """
    from transformers import AutoModel
    from transformers.models.auto.image_processing_auto import get_image_processor_config
    from transformers.utils import logging

    talk: Any = logging
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    options: dict[str, Any] = {"revision": revision} if revision else {}
    try:
        network, info = AutoModel.from_pretrained(name, use_safetensors=True, output_loading_info=True, **options)
        settings = get_image_processor_config(name, **options)
        network = getattr(network, "vision_model", network)  # of a model of pictures and text
        _refuse_missing(network, info)
        side = pixels or _bound_side(network)
        return PretrainedEncoder(network.eval(), dim, pixels=side, **_normalisation(settings))
    except (OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(
            f"frame.pretrained: {name!r} cannot be opened as a vision model of transformers ({reason}); give the name "
            "of one on the hub, or a folder with config.json and model.safetensors"
        ) from error


def _refuse_missing(network: Any, info: Mapping[str, Any]) -> None:
    """Weights that are not in the file would be random; a pooler that was not trained is left out."""
    missing = sorted(info["missing_keys"])
    if any("pooler." in key for key in missing) and hasattr(network, "pooler"):
        network.pooler = None
    if others := [key for key in missing if "pooler." not in key]:
        raise ValueError(f"its file lacks weights, such as {others[0]}")


def _bound_side(network: Any) -> int:
    """The side that a model with a table of positions was made for; 0 where any will do."""
    config = network.config
    side = getattr(config, "image_size", 0) if hasattr(config, "patch_size") else 0
    return int(side[0] if isinstance(side, list | tuple) else side)


def _normalisation(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the model's image processor does to the values of a picture."""
    scale = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    if not settings.get("do_normalize", True):
        return {"scale": scale, "mean": (0.0,) * 3, "std": (1.0,) * 3}
    mean, std = settings.get("image_mean", MEAN), settings.get("image_std", STD)
    return {"scale": scale, "mean": tuple(mean), "std": tuple(std)}
