"""The verb `explain`: why the faces of a picture are called what they are called, in words and over the picture."""

import sys
from pathlib import Path

import cv2
import msgspec
import numpy as np
from rich.console import Console

from streamaffect.affect.explanation import (
    LEAST_SCALE,
    WHAT_IT_IS,
    Method,
    cells_of,
    draw_explanation,
    strongest_emotion,
    where,
)
from streamaffect.analysis import estimate_faces, why_no_face
from streamaffect.errors import PictureError
from streamaffect.faces.survey import Cures
from streamaffect.feed import wire
from streamaffect.messages import NOTICE, Estimate
from streamaffect.recordings.output_file import check_output, whole_file
from streamaffect.types import FloatArray, ImageArray

SHADES = " ░▒▓█"


def explain(
    picture: Path,
    *,
    method: Method,
    save: Path | None,
    overwrite: bool,
    as_json: bool,
    bundle: str | None,
    engine: str,
) -> int:
    """Print what each face was called and why, and write the picture with the maps; returns the exit code.

    Raises PictureError where the picture cannot be read or shows no face, RecordingError where `save` cannot be
    written, LensError where the method's lens does not belong to the bundle.
    """
    image = read_picture(picture)
    if save is not None:
        _check_ending(save)
        check_output(save, overwrite=overwrite, inputs=[picture])
    estimates, _ = estimate_faces(image, bundle=bundle, engine=engine, explain=method)
    if not estimates:
        why = why_no_face(image, Cures("cut out the part with {them}", "turn the picture"))
        raise PictureError(f"{picture}: no face was found: {why}")
    if as_json:
        found = [msgspec.Raw(wire.encode(one)) for one in estimates]
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n")
    else:
        _print(estimates, method)
    if save is not None:
        _write(save, draw_explanation(image, estimates, method=method), overwrite=overwrite, picture=picture)
        if not as_json:
            sys.stdout.write(f"{save}: written\n")
    return 0


def read_picture(path: Path) -> ImageArray:
    """A picture file as (H, W, 3) uint8 BGR, turned as its camera was held. Raises PictureError."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror or error})") from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error:  # one that is larger than OpenCV takes
        image = None
    if image is None:
        raise PictureError(f"{path}: is no picture that can be read; JPEG, PNG, WebP, BMP and TIFF are")
    return np.asarray(image, np.uint8)


def _check_ending(save: Path) -> None:
    if not save.suffix or not cv2.haveImageWriter(f"picture{save.suffix}"):
        raise PictureError(f"--save {save}: the ending says the format, e.g. {save.with_suffix('.png').name}")


def _write(save: Path, image: ImageArray, *, overwrite: bool, picture: Path) -> None:
    done, data = cv2.imencode(save.suffix, image)
    if not done:
        raise PictureError(f"--save {save}: the picture cannot be written as {save.suffix}; .png takes any")
    with whole_file(save, overwrite=overwrite, inputs=[picture]) as file:
        file.write(data.tobytes())


def _print(estimates: list[Estimate], method: Method) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for number, estimate in enumerate(estimates, 1):
        named = strongest_emotion(estimate)
        called = f"{named[0]} {named[1]:.2f}" if named else "no emotion"
        affect = [
            f"{name} {value:+.2f}"
            for name, value in (("valence", estimate.valence), ("arousal", estimate.arousal))
            if value is not None
        ]
        cells = cells_of(estimate, method)
        if cells is None:
            console.print(f"face {number}: shown too poorly to be judged ({estimate.status})", markup=False)
            continue
        console.print(f"face {number}: {', '.join([called, *affect])}", markup=False)
        console.print(f"  {where(estimate, method)}", markup=False)
        for row in _shaded(cells):
            console.print(f"  │{row}│", markup=False)
    console.print(f"{method}: {WHAT_IT_IS[method]}", markup=False)
    console.print(NOTICE, markup=False)


def _shaded(cells: FloatArray) -> list[str]:
    """The map as rows of blocks, two characters a cell."""
    heat = cells.clip(min=0) / max(float(cells.max()), LEAST_SCALE)
    return ["".join(2 * SHADES[round(float(value) * (len(SHADES) - 1))] for value in row) for row in heat]
