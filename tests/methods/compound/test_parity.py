"""The compound-emotion model and its votes over videos give the numbers of the authors' published code."""

import pytest
import torch
from torch import Tensor

from tests.support.training.golden import Golden, assert_matches, load_golden
from train.methods.compound.model import LFAN, load_reference
from train.methods.compound.votes import Rule, Videos, video_classes, without_last_class


def model(golden: Golden) -> LFAN:
    names = golden.texts["modalities"]
    channels = {
        name: [golden.weights[f"temporal.{name}.network.{block}.conv2.bias"].shape[0] for block in range(2)]
        for name in names
    }
    module = LFAN(
        {name: golden[f"input_{name}"].shape[2] for name in names},
        channels,
        classes=golden["logits"].shape[2],
        modal_dim=int(golden["modal_dim"]),
        heads=int(golden["num_heads"]),
        kernel=int(golden["kernel_size"]),
    )
    load_reference(module.double().eval(), golden.weights)
    return module


def inputs(golden: Golden) -> dict[str, Tensor]:
    return {name: golden[f"input_{name}"] for name in golden.texts["modalities"]}


def test_the_temporal_convolutions_match() -> None:
    golden = load_golden("compound_lfan")
    encoded = model(golden).encode(inputs(golden))
    for name, features in encoded.items():
        assert_matches(features.detach(), golden[f"temporal_{name}"])


def test_the_fusion_and_the_logits_match() -> None:
    golden = load_golden("compound_lfan")
    module = model(golden)
    assert_matches(module.fusion(module.encode(inputs(golden))).detach(), golden["fusion_out"])
    assert_matches(module(inputs(golden)).detach(), golden["logits"])


@pytest.mark.parametrize(
    ("rule", "key"),
    [("majority", "pred_vote"), ("mean_logits", "pred_avg_logits"), ("mean_probabilities", "pred_avg_probs")],
)
@pytest.mark.parametrize("reference", [False, True])
def test_the_classes_of_the_videos_match(rule: Rule, key: str, reference: bool) -> None:
    golden = load_golden("compound_video_vote")
    videos = Videos(golden["logits"], golden["lengths"], golden["labels"])
    if (ignored := int(golden["ignore_class"])) != -1:
        assert ignored == videos.logits.shape[1] - 1
        videos = without_last_class(videos)
    assert videos.labels.tolist() == golden["targets"].tolist()
    assert video_classes(videos.logits, videos.lengths, rule, reference=reference).tolist() == golden[key].tolist()


def test_weights_that_hold_no_second_names_load_too() -> None:
    golden = load_golden("compound_lfan")
    plain = {name: value for name, value in golden.weights.items() if ".net." not in name}
    module = model(Golden(golden.values, plain, golden.texts))
    with torch.no_grad():
        assert_matches(module(inputs(golden)), golden["logits"])
