"""The processes that train one model together, which `torchrun` starts."""

import os

import torch.distributed
from lightning_fabric import Fabric

from ..config import Precision


def join_processes(precision: Precision) -> Fabric:
    """Devices and precision of a run; started by `torchrun`, this process is one of many."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("WORLD_SIZE", "1")) // local
    fabric = Fabric(devices=local, num_nodes=nodes, precision=precision)
    fabric.launch()
    return fabric


def leave_processes() -> None:
    """End what the processes share, after the last step that they take together.

    A process that ends without this may abort: the threads of its group still run.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
