"""Torch alone, started by `torchrun`: two processes add one number each; ends with an error if they can't."""

import torch
import torch.distributed


def main() -> None:
    """Meet, add, part."""
    torch.distributed.init_process_group("gloo")
    one = torch.ones(1)
    torch.distributed.all_reduce(one)
    if one.item() != torch.distributed.get_world_size():
        raise SystemExit(f"the sum over the processes is {one.item()}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
