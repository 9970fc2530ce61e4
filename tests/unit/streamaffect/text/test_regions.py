from collections import Counter

import numpy as np
import pytest

from streamaffect.text.regions import CELLS, REGIONS, SIDE, region_shares, regions_in_words


def test_every_cell_belongs_to_one_region() -> None:
    owners = Counter(name for name in CELLS for shares in [region_shares({name: 1.0})] for _ in _owners(shares))
    assert set(owners.values()) == {1}
    assert len(owners) == SIDE**2


def _owners(shares: dict[str, float]) -> list[str]:
    return [region for region, share in shares.items() if share == pytest.approx(1)]


def test_shares_of_any_map_sum_to_one_and_mirror() -> None:
    values = np.random.default_rng(0).random((SIDE, SIDE))
    shares = region_shares(dict(zip(CELLS, values.ravel().tolist(), strict=True)))
    mirrored = region_shares(dict(zip(CELLS, values[:, ::-1].ravel().tolist(), strict=True)))
    assert sum(shares.values()) == pytest.approx(1)
    assert set(shares) == set(REGIONS)
    assert mirrored["left cheek"] == pytest.approx(shares["right cheek"])
    assert mirrored["mouth"] == pytest.approx(shares["mouth"])


def test_what_speaks_against_the_answer_is_not_counted() -> None:
    assert regions_in_words({"y6x3": 0.2, "y3x1": -0.9}) == "mouth 100 %"
