"""Voices of MELD's utterances, described from their own sound where the data set has no tables of them.

<root>/<part>/dia<D>_utt<U>.mp4 or .wav  →  <folder>/<part>/dia<D>_utt<U>.csv, each once

The five local descriptors and the tones of the published service are two vocabularies: a part with tables keeps them.
"""

from collections.abc import Callable
from pathlib import Path

from ...audiovisual.sound import read_sound
from ...data.sets.meld import VOICES, MeldPart
from ...data.text.prosody import describe_voice, write_prosody
from ...errors import DataError

RATE_HZ = 16000
SOUNDS = (".mp4", ".wav")


def describe_voices(root: Path, part: MeldPart, folder: Path, note: Callable[[str, str], None]) -> None:
    """Write the tables of one part to `<folder>/<part>`. A file without sound, or a damaged one, has none.

    note: gets each file that cannot be read, and how many voices were described
    """
    files = [] if (root / part / VOICES).is_dir() else sorted((root / part).glob("dia*_utt*.*"))
    waiting = [
        (file, table)
        for file in files
        if file.suffix.lower() in SOUNDS and not (table := folder / part / f"{file.stem}.csv").exists()
    ]
    described = sum(_describe(file, table, note) for file, table in waiting)
    if waiting:
        note(part, f"{described} of {len(waiting)} voices described")


def _describe(file: Path, table: Path, note: Callable[[str, str], None]) -> bool:
    try:
        sound = read_sound(file, RATE_HZ)
    except DataError as error:
        note(file.name, f"skipped: {error}")
        return False
    if sound is None:
        return False
    scores = describe_voice(sound.samples, sound.rate_hz)
    table.parent.mkdir(parents=True, exist_ok=True)
    partial = table.with_suffix(".partial")
    write_prosody(partial, scores, end_s=len(sound.samples) / sound.rate_hz)
    partial.replace(table)
    return True
