"""Small bundles that bring an int8 twin of their frame encoder, made by the writer of real ones."""

from pathlib import Path

import numpy as np

from streamaffect.runtime.bundle import Bundle, load_bundle
from tests.support.bundles import SIZE
from tests.support.conv_bundles import write_conv_bundle
from train.bundle.variants import add_variants


def write_twin_bundle(folder: Path) -> Bundle:
    """The convolutional bundle with an int8 twin and probe crops."""
    crops = np.random.default_rng(5).integers(0, 256, (24, SIZE, SIZE, 3), np.uint8)
    add_variants(write_conv_bundle(folder), crops)
    return load_bundle(folder)
