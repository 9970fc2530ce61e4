"""The joint multimodal transformer (Waligora et al., CVPR Workshops 2024): valence and arousal from face and voice.

recipe → data (steps by any source) → model, loss, series (smoothed, scored) → bundle → run
"""

from .loss import jmt_ccc_loss
from .model import IntraModalTransformer, JointMultimodalTransformer, load_reference
from .series import series_ccc

__all__ = ["IntraModalTransformer", "JointMultimodalTransformer", "jmt_ccc_loss", "load_reference", "series_ccc"]
