"""The state of torch's random numbers on every process, so that a resumed run draws what it would have drawn."""

from collections.abc import Mapping
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor


def gather_random_state(fabric: Fabric) -> dict[str, Tensor]:
    """By kind of device, (processes, bytes) uint8. To be called on all processes at once."""
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(fabric.device)
    gathered: dict[str, Any] = {kind: fabric.all_gather(state.to(fabric.device)) for kind, state in states.items()}
    return {kind: rows.cpu().reshape(-1, len(states[kind])) for kind, rows in gathered.items()}


def restore_random_state(states: Mapping[str, Tensor], fabric: Fabric) -> None:
    """Put this process's own state back, where a process of its number was there."""
    rank = fabric.global_rank  # rows are cloned, since torch reads a state as a structure and needs it aligned
    if "cpu" in states and rank < len(states["cpu"]):
        torch.set_rng_state(states["cpu"][rank].clone())
    if "cuda" in states and rank < len(states["cuda"]) and fabric.device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"][rank].clone(), fabric.device)
