"""Optimisers by name, and the learning rate of every step."""

import math
from typing import Any

import torch
from torch import nn

from ..config import OptimiserConfig


def make_optimiser(model: nn.Module, config: OptimiserConfig, slow: nn.Module | None = None) -> torch.optim.Optimizer:
    """The optimiser over what is trained of `model`. slow: its pretrained part, whose rate `divisor` divides."""
    groups = _groups(model, config, slow)
    if config.kind == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.lr)


def set_rates(optimiser: Any, config: OptimiserConfig, step: int, per_epoch: int) -> float:
    """Give each group of parameters its rate for step number `step`; returns the undivided one."""
    rate = learning_rate(config, step, per_epoch)
    is_divided = config.schedule == "cosine" or step // per_epoch >= config.decay_every
    for group in optimiser.param_groups:
        group["lr"] = rate / config.divisor if group["is_slow"] and is_divided else rate
    return rate


def learning_rate(config: OptimiserConfig, step: int, per_epoch: int) -> float:
    """The rate of step number `step`: a linear warm-up, then the schedule."""
    warmup = config.warmup_epochs * per_epoch
    if step < warmup:
        return config.lr * (step + 1) / max(1.0, warmup)
    if config.schedule == "steps":
        return float(config.lr * config.decay ** (step // per_epoch // config.decay_every))
    done = (step - warmup) / max(1.0, config.epochs * per_epoch - warmup)
    return config.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def _groups(model: nn.Module, config: OptimiserConfig, slow: nn.Module | None) -> list[dict[str, Any]]:
    """Four groups at most: slow or not, decayed or not. Norms and biases have no reason to be small."""
    slow_ones = {id(parameter) for parameter in slow.parameters()} if slow is not None else set()
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    for parameter in (parameter for parameter in model.parameters() if parameter.requires_grad):
        is_slow, is_kept = id(parameter) in slow_ones, config.kind == "adamw" and parameter.ndim <= 1
        decay = 0.0 if is_kept else config.weight_decay
        group = groups.setdefault((is_slow, is_kept), {"params": [], "weight_decay": decay, "is_slow": is_slow})
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]
