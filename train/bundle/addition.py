"""The folder of a model that stands beside a bundle: one graph, a listing of its own, and a card."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..errors import TrainingError

CARD = "MODEL_CARD.md"


def begin_addition(target: Path) -> Path:
    """An empty folder beside `target`, for its graph."""
    unfinished = target.with_name(f"{target.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    return unfinished


def finish_addition(
    unfinished: Path,
    target: Path,
    listing: msgspec.Struct,
    card: str,
    *,
    file: str,
    kind: str,
    load: Callable[[Path], object],
) -> None:
    """Write listing and card beside the graph, and put the folder in the place of `target`.

    Only a folder of the same kind is replaced; anything else of that name stays, and what was made lies beside it.

    file: the listing's name. kind: in words. load: opens such a folder, as the stream does

    Raises TrainingError where the folder does not load, or `target` is of another kind.
    """
    (unfinished / file).write_bytes(msgspec.json.format(msgspec.json.encode(listing), indent=2) + b"\n")
    (unfinished / CARD).write_text(card, encoding="utf-8")
    try:
        load(unfinished)
    except Exception as error:
        raise TrainingError(f"{unfinished}: what was written does not load ({error})") from error
    if target.exists():
        if any(target.iterdir()) and not (target / file).is_file():
            raise TrainingError(f"{target}: is no {kind}, and is kept; the new one is in {unfinished}")
        shutil.rmtree(target)
    unfinished.rename(target)
