"""How well the shipped lenses do, measured on the code that streams.

The folder holds `ferplus/*.npz` (face crops with crowd votes, and beside each `*_teacher.npz` with MediaPipe's
blendshapes) and `videos/` (clips, `videos_teacher.csv`, `videos_blendshapes.npz`); parts that are absent are skipped.
What was trained on is left out: FER+'s Training part, and clips of the split `train`.

    python benchmarks/lenses.py --data faces
    python benchmarks/lenses.py --data faces --limit 500 --lens units=runs/units/bundle
    python benchmarks/lenses.py --data faces --lens map --maps 1000 --add

Maps are held against real occlusion on a sample of --maps faces of each part. That takes a few minutes. `--add`
measures in pieces: rows of the file that this run has not measured anew stay in it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.measures.faces.map_figures import ExplainedFace, explained, frames_at, map_figures
from benchmarks.measures.lens_figures import compound_figures, moment_figures, unit_figures
from benchmarks.measures.packed_arrays import read_arrays
from benchmarks.measures.report import RESULTS, Row, show, write
from streamaffect import Estimate, analyze, analyze_image, load_bundle
from streamaffect.errors import StreamAffectError
from streamaffect.faces.boxes import iou
from streamaffect.lenses.finding import open_lenses
from streamaffect.lenses.manifest import MAP_KIND
from streamaffect.lenses.mesh.landmarker import BLENDSHAPES
from streamaffect.runtime.bundle import Bundle
from streamaffect.text.action_units import units_of_blendshapes
from streamaffect.types import Box, ImageArray
from train.data.stills import EMOTIONS
from train.data.videos import TeacherRow, read_people, teacher_blendshapes, teacher_rows

PEOPLE = Path(__file__).parent.parent / "configs" / "train" / "relational" / "default_people.csv"
WHOLE = (0.0, 0.0, 1.0, 1.0)
TRAINING = 0
SAME_TIME_S, LEAST_OVERLAP = 0.025, 0.2

console = Console()
Spoken = tuple[Estimate, dict[int, float]]  # what the stream says of a face, and the teacher's units


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = _options()
    try:
        bundle = load_bundle()
        lenses = open_lenses(options.lens, bundle)
        rows: list[Row] = [
            {"lens": lens.name, "part": "cost", "figure": "ms a face", "value": lens.manifest.cost.ms, "rows": 1}
            for lens in lenses
            if lens.manifest.cost is not None
        ]
        words = [f"{lens.name}={lens.path}" for lens in lenses]
        kinds = {lens.manifest.kind: lens.name for lens in lenses if lens.manifest.kind != MAP_KIND}
        maps = [lens.name for lens in lenses if lens.manifest.kind == MAP_KIND]
        for part, found in _parts(options, words):
            rows += list(_figures(kinds, part, found))
            if maps:
                rows += list(_map_figures(bundle, part, list(_sample(options, part, found, maps, bundle))))
    except StreamAffectError as error:
        raise SystemExit(f"lenses: {error}") from None
    show(f"lenses of {bundle.manifest.label}", rows)
    if options.add:
        rows = [*kept_rows(options.out or RESULTS / "lenses.json", rows), *rows]
    print(write("lenses", rows, options.out))


def kept_rows(file: Path, rows: Sequence[Row]) -> list[Row]:
    """What a file has of an earlier run, but for the figures that were measured anew; nothing where there is none."""
    if not file.is_file():
        return []
    anew = {(row["lens"], row["part"], row["figure"]) for row in rows}
    earlier = json.loads(file.read_text(encoding="utf-8"))["results"]
    return [row for row in earlier if (row["lens"], row["part"], row["figure"]) not in anew]


class Moving:
    """A frame of a clip, what was said and taught of it, and the teacher's emotions over the time before it.

    over_time: (K, 8), shares in each of the last clips, oldest first; None but once a clip
    """

    def __init__(self, file: Path, spoken: Spoken, over_time: np.ndarray | None) -> None:
        self.file, self.spoken, self.over_time = file, spoken, over_time


class Still:
    """A picture: the crowd's shares of the eight emotions, and what was said and taught of it."""

    def __init__(self, picture: ImageArray, shares: np.ndarray, spoken: Spoken) -> None:
        self.picture, self.shares, self.spoken = picture, shares, spoken


def _parts(options: argparse.Namespace, lenses: Sequence[str]) -> Iterator[tuple[str, Sequence[Still | Moving]]]:
    stills = [still for file in _packed(options.data) for still in _stills(file, lenses, options.limit, options.seed)]
    if stills:
        yield "pictures", stills
    else:
        console.print("skipped: ferplus/*.npz are not there")
    if (options.data / "videos" / "videos_teacher.csv").is_file():
        yield "clips", _clips(options.data, options.people, lenses)
    else:
        console.print("skipped: videos/videos_teacher.csv is not there")


def _figures(kinds: Mapping[str, str], part: str, found: Sequence[Still | Moving]) -> Iterator[Row]:
    spoken = [one.spoken for one in found]
    if name := kinds.get("units"):
        taught = [(estimate, units) for estimate, units in spoken if units and name in estimate.outputs]
        for figure, value in unit_figures(name, taught).items():
            yield {"lens": name, "part": part, "figure": figure, "value": value, "rows": len(taught)}
    stills = [one for one in found if isinstance(one, Still)]
    if (name := kinds.get("compound")) and stills:
        scores = [one.spoken[0].outputs[name] for one in stills]
        for figure, value in compound_figures(scores, np.array([one.shares for one in stills])).items():
            yield {"lens": name, "part": part, "figure": figure, "value": value, "rows": len(stills)}
    if name := kinds.get("moments"):
        timed = [(one.spoken[0], one.over_time) for one in found if isinstance(one, Moving)]
        stretches = [(said, shares) for said, shares in timed if shares is not None and _is_whole(said, name)]
        for figure, value in moment_figures(name, stretches).items():
            yield {"lens": name, "part": part, "figure": figure, "value": value, "rows": len(stretches)}


def _is_whole(estimate: Estimate, lens: str) -> bool:
    return estimate.status == "ok" and estimate.context_fill == 1 and lens in estimate.outputs


def _sample(
    options: argparse.Namespace, part: str, found: Sequence[Still | Moving], maps: Sequence[str], bundle: Bundle
) -> Iterator[ExplainedFace]:
    """At most `--maps` of the faces, with the pictures that were looked at."""
    size, chance = bundle.manifest.crop.size, np.random.default_rng(options.seed)
    stills = [one for one in found if isinstance(one, Still)]
    if stills:
        for row in chance.permutation(len(stills))[: options.maps].tolist():
            face = explained(stills[row].picture, stills[row].spoken[0], maps, size)
            if face is not None:
                yield face
        return
    wanted: dict[Path, list[Estimate]] = {}
    moving = [one for one in found if isinstance(one, Moving)]
    for row in chance.permutation(len(moving))[: options.maps].tolist():
        wanted.setdefault(moving[row].file, []).append(moving[row].spoken[0])
    for file in track(sorted(wanted), f"frames of {part}", console=console, transient=True):
        pictures = frames_at(file, {one.pts_s for one in wanted[file] if one.pts_s is not None})
        for one in wanted[file]:
            if one.pts_s in pictures and (face := explained(pictures[one.pts_s], one, maps, size)) is not None:
                yield face


def _map_figures(bundle: Bundle, part: str, faces: Sequence[ExplainedFace]) -> Iterator[Row]:
    for name, figures in map_figures(bundle, faces).items():
        for figure, value in figures.items():
            yield {"lens": name, "part": part, "figure": figure, "value": value, "rows": len(faces)}


def _packed(root: Path) -> list[Path]:
    return [file for file in sorted((root / "ferplus").glob("*.npz")) if not file.stem.endswith("_teacher")]


def _stills(file: Path, lenses: Sequence[str], limit: int | None, seed: int) -> Iterator[Still]:
    packed = read_arrays(file, "webp", "offsets", "votes", "split")
    teacher_file = file.with_name(f"{file.stem}_teacher.npz")
    teacher = read_arrays(teacher_file, "blendshapes", "face_found") if teacher_file.is_file() else {}
    votes = packed["votes"][:, :8].astype(np.float64)
    clear = votes.sum(axis=1) > packed["votes"].sum(axis=1) / 2
    unseen = packed["split"] != TRAINING if "split" in packed else np.ones(len(votes), np.bool_)
    rows = np.flatnonzero(clear & unseen)
    if limit is not None and limit < len(rows):
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    for row in track(rows.tolist(), f"{file.name}", console=console, transient=True):
        data = packed["webp"][packed["offsets"][row] : packed["offsets"][row + 1]]
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        if picture is None:
            continue
        image = np.asarray(picture, np.uint8)
        (estimate,) = analyze_image(image, boxes=[WHOLE], lenses=lenses)
        known = bool(teacher) and bool(teacher["face_found"][row])
        units = _units(teacher["blendshapes"][row]) if known else {}
        yield Still(image, votes[row] / votes[row].sum(), (estimate, units))


def _clips(root: Path, people_file: Path, lenses: Sequence[str]) -> list[Moving]:
    people = read_people(people_file) if people_file.is_file() else {}
    blendshapes, labelled = teacher_blendshapes(root), teacher_rows(root)
    names = [name for name in labelled if people.get(name, ("", "report"))[1] != "train"]
    spoken: list[Moving] = []
    for name in track(names, "clips", console=console, transient=True):
        if not (root / "videos" / name).is_file() or blendshapes is None:
            continue
        try:
            estimates = list(analyze(root / "videos" / name, lenses=lenses))
        except StreamAffectError as error:
            console.print(f"skipped: {error}", highlight=False, soft_wrap=True)
            continue
        rows = list(labelled[name].values())
        for row, over_time in zip(rows, _over_time(rows), strict=True):
            shapes = blendshapes[int(row["row"])]
            if np.isfinite(shapes).all() and (estimate := _same_face(row, estimates)) is not None:
                spoken.append(Moving(root / "videos" / name, (estimate, _units(shapes)), over_time))
    return spoken


def _over_time(rows: Sequence[TeacherRow]) -> Iterator[np.ndarray | None]:
    """The teacher's emotions in each of the last clips, (K, 8), oldest first; None but once a clip, or with a gap."""
    manifest = load_bundle().manifest
    length_s, count = manifest.clip.length_s, manifest.context.clips
    times_s = np.array([float(row["time"]) for row in rows])
    emotions = np.array([[float(row[f"p_{emotion}"]) for emotion in EMOTIONS] for row in rows])
    emotions /= emotions.sum(axis=1, keepdims=True)
    next_s = count * length_s
    for time_s in times_s.tolist():
        ages = np.floor((time_s - times_s) / length_s + 1e-6)
        clips = [emotions[ages == age] for age in range(count - 1, -1, -1)]
        if time_s < next_s or not all(map(len, clips)):
            yield None
        else:
            next_s = time_s + length_s
            yield np.array([clip.mean(axis=0) for clip in clips])


def _same_face(row: TeacherRow, estimates: Sequence[Estimate]) -> Estimate | None:
    """The estimate of the teacher's face at the teacher's time, if lenses have spoken of it."""
    x0, y0, x1, y1 = (float(row[key]) for key in ("x0", "y0", "x1", "y1"))
    box = Box(x0, y0, x1 - x0, y1 - y0)
    near = [one for one in estimates if one.pts_s is not None and abs(one.pts_s - float(row["time"])) <= SAME_TIME_S]
    best = max(near, key=lambda one: iou(one.box, box), default=None)
    return best if best is not None and iou(best.box, box) >= LEAST_OVERLAP else None


def _units(shapes: np.ndarray) -> dict[int, float]:
    return units_of_blendshapes(dict(zip(BLENDSHAPES, map(float, shapes), strict=True)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus/ and videos/")
    parser.add_argument("--lens", action="append", help="NAME, NAME=DIR or all; repeatable (default: all, aligned)")
    parser.add_argument("--people", type=Path, default=PEOPLE, help="CSV of file, person, split for the clips")
    parser.add_argument("--limit", type=int, help="a random sample of so many pictures of each file")
    parser.add_argument("--seed", type=int, default=0, help="of that sample (default: %(default)s)")
    parser.add_argument(
        "--maps", type=int, default=300, help="faces of each part to try maps on (default: %(default)s)"
    )
    parser.add_argument("--add", action="store_true", help="keep what the file has of other lenses")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/lenses.json)")
    options = parser.parse_args()
    options.lens = options.lens or ["all", "aligned"]
    return options


if __name__ == "__main__":
    main()
