"""Heat maps and the alignment loss give the numbers of the authors' published code.

These fixtures are float32; maps are compared to 1e-3 of a value from 0 to 255, losses and gradients to 1e-4 relative.
"""

import pytest
import torch
from torch import Tensor

from tests.support.training.golden import Golden, load_golden
from train.data.drawn_faces import EXPRESSIONS
from train.methods.au_guided.loss import au_alignment_loss
from train.methods.au_guided.recipe import AlignmentKind
from train.methods.au_guided.regions import CODEBOOK, Face, heatmap, heatmaps, read_face, strongest_units, unit_map
from train.methods.au_guided.spatial import agreement, attention_map, map_cosine, resize_region


def assert_close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-5)


def golden_face(golden: Golden) -> Face:
    height, width = int(golden["height"]), int(golden["width"])
    return read_face(golden["landmarks"], height, width, reference=True, scale_radii=False)


@pytest.mark.parametrize("unit", range(20))
def test_the_region_of_a_unit_matches(unit: int) -> None:
    golden = load_golden("au_heatmap")
    region = unit_map(golden_face(golden), unit)
    torch.testing.assert_close(torch.from_numpy(region), golden[f"au{unit:02d}_28x28"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("expression", [name for name in EXPRESSIONS if name != "Neutral"])
def test_the_strongest_units_of_an_expression_match(expression: str) -> None:
    golden = load_golden("au_heatmap")
    strongest = strongest_units(golden_face(golden), CODEBOOK[expression])
    assert strongest is not None
    torch.testing.assert_close(torch.from_numpy(strongest)[::4, ::4], golden[f"raw_{expression}"], rtol=0, atol=1e-3)


@pytest.mark.parametrize("expression", CODEBOOK)
@pytest.mark.parametrize("reference", [False, True])
def test_the_heat_map_of_an_expression_matches(expression: str, reference: bool) -> None:
    golden = load_golden("au_heatmap")
    expected = golden[f"heatmap_{expression}"]
    height, width = expected.shape
    actual = heatmap(golden["landmarks"], expression, height=height, width=width, reference=reference)
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=1e-3)


def test_a_batch_of_heat_maps_follows_the_labels() -> None:
    golden = load_golden("au_heatmap")
    labels, size = torch.arange(len(EXPRESSIONS)), int(golden["height"])
    maps = heatmaps(golden["landmarks"].expand(len(labels), -1, -1), labels, height=size, width=size)
    expected = torch.stack([golden[f"heatmap_{name}"] for name in EXPRESSIONS]).unsqueeze(1)
    torch.testing.assert_close(maps.double(), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", ["cosine", "std_cosine", "l1", "l2"])
def test_the_alignment_loss_and_its_gradients_match(kind: AlignmentKind) -> None:
    golden = load_golden("au_alignment")
    layers = [golden.leaf("features_layer1"), golden.leaf("features_layer2")]
    loss = au_alignment_loss(layers, golden["heatmaps"], kind=kind)
    gradients = torch.autograd.grad(loss, layers)
    assert_close(loss.detach(), golden[f"loss_{kind}"])
    for number, gradient in enumerate(gradients, start=1):
        assert_close(gradient, golden[f"grad_{kind}_layer{number}"])


def test_the_published_setting_matches_with_its_weight_of_nine_on_the_last_layer() -> None:
    golden = load_golden("au_alignment")
    loss = 9 * au_alignment_loss(golden["features_layer2"], golden["heatmaps"])
    assert_close(loss, golden["loss_random_avg_p1_lambda9_last_layer"])


def test_attention_resized_maps_and_cosines_match_step_by_step() -> None:
    golden = load_golden("au_alignment")
    valid = golden["valid_samples"]
    attention = attention_map(golden["features_layer1"])
    resized = resize_region(golden["heatmaps"][valid], (attention.shape[2], attention.shape[3]))
    assert_close(attention[valid], golden["attention_layer1"])
    assert_close(resized, golden["heatmap_resized_to_layer1"])
    assert_close(map_cosine(attention[valid], resized), golden["cosine_layer1"])
    agreed = agreement(attention, golden["heatmaps"])
    assert_close(agreed.cosine, golden["cosine_layer1"].mean())
    assert agreed.samples == len(valid)
