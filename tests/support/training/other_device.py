"""A device in name only, for machines without a graphics card: it computes here, and refuses what a real one refuses.

Tensors are on it or in ordinary memory, and what mixes them fails as CUDA does: a number without axes may be from here,
so may the places that index what is there, and copying works both ways; an array is made of what is here alone.

Tried beside an NVIDIA H200: of fifteen recipes it refused the five that failed there, in the same lines, and no other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.cpu import CPUAccelerator
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, _pop_mode_temporarily

OTHER = torch.device("privateuseone")
MAKES_ARRAYS = {"numpy", "__array__"}
MOVES = {"copy_", "_has_compatible_shallow_copy_type"}
INDEXES = {"__getitem__", "__setitem__"}
MARK = "_is_on_the_other_device"


def is_there(value: object) -> bool:
    """Whether a tensor is on the other device."""
    return isinstance(value, Tensor) and MARK in value.__dict__


class _OtherDevice(TorchFunctionMode):
    """Follows each tensor through the functions of torch."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options, name = dict(kwargs or {}), getattr(func, "__name__", "")
        tensors = list(_tensors_in((*args, *options.values())))
        there = [tensor for tensor in tensors if is_there(tensor)]
        if func == Tensor.device.__get__:
            return OTHER if there else func(*args)
        if func == Tensor.data.__set__:  # type: ignore[attr-defined]
            _mark(args[0], there=is_there(args[1]))
            return func(*args)
        if name in ("to", "cpu"):
            return _moved(name, args, options)
        is_made_there = options.get("device") is not None and torch.device(options["device"]) == OTHER
        if is_made_there:
            options["device"] = torch.device("cpu")
        if name in MAKES_ARRAYS and there:
            raise TypeError("can't convert a tensor of the other device to numpy; use Tensor.cpu() first")
        if there and name not in MOVES:
            _refuse_mixed(name, args, tensors)
        found = func(*args, **options)
        on_it = is_there(args[0]) if name in INDEXES or name == "copy_" else bool(there) or is_made_there
        return _mark_all(found, there=on_it)


@contextmanager
def other_device() -> Iterator[None]:
    """Have Fabric train on the other device until the end of the block."""
    made, exported = Fabric.__init__, torch.onnx.export
    copied: Callable[..., Any] = nn.Parameter.__deepcopy__

    def make(self: Fabric, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        cast(Any, self._strategy)._root_device = OTHER

    def copy(self: nn.Parameter, memo: dict[int, Any]) -> Any:
        return _mark(copied(self, memo), there=is_there(self))

    def export(module: nn.Module, *args: Any, **options: Any) -> object:
        """Traces with examples in ordinary memory; torch's own tracing is not followed."""
        if any(is_there(tensor) for tensor in (*module.parameters(), *module.buffers())):
            raise RuntimeError("Tensor on the other device is not on the expected device cpu!")
        with _pop_mode_temporarily():
            return exported(module, *args, **options)

    with pytest.MonkeyPatch.context() as patch, _OtherDevice():
        patch.setattr(Fabric, "__init__", make)
        patch.setattr(CPUAccelerator, "setup_device", lambda self, device: None)
        patch.setattr(torch.onnx, "export", export)
        patch.setattr(nn.Parameter, "__deepcopy__", copy)
        yield


def _moved(name: str, args: Sequence[Any], options: dict[str, Any]) -> Any:
    """`Tensor.to`, whose first words may be a device, a type, or a tensor that has both; `Tensor.cpu`."""
    tensor: Any = args[0]
    wanted: torch.device | None = None
    rest: list[Any] = []
    for word in args[1:]:
        if isinstance(word, torch.device | str):
            wanted = torch.device(word)
        elif isinstance(word, Tensor):
            wanted, rest = OTHER if is_there(word) else torch.device("cpu"), [*rest, word.dtype]
        else:
            rest.append(word)
    if options.get("device") is not None:
        wanted = torch.device(options.pop("device"))
    options.pop("non_blocking", None)
    if name == "cpu":
        wanted, rest = torch.device("cpu"), []
    rest = [word for word in rest if isinstance(word, torch.dtype)]
    there = is_there(tensor) if wanted is None else wanted == OTHER
    found = Tensor.to(tensor, *rest, **options) if rest or options else tensor
    if there == is_there(tensor):
        return _mark(found, there=there)
    return _mark(found.clone() if found is tensor else found, there=there)


def _refuse_mixed(name: str, args: Sequence[Any], tensors: Sequence[Tensor]) -> None:
    if name in INDEXES and is_there(args[0]):
        return
    here = [tensor for tensor in tensors if not is_there(tensor) and tensor.dim() > 0]
    if here:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got some of each")


def _mark_all(found: Any, *, there: bool) -> Any:
    for tensor in _tensors_in([found]):
        _mark(tensor, there=there)
    return found


def _tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors_in(value)


def _mark(tensor: Any, *, there: bool) -> Any:
    if there:
        tensor.__dict__[MARK] = True
    else:
        tensor.__dict__.pop(MARK, None)
    return tensor
