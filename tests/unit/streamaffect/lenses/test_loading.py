from pathlib import Path

import pytest

from streamaffect.cli import main
from streamaffect.errors import BundleError, LensError
from streamaffect.lenses.finding import lens_folders, open_lenses
from streamaffect.lenses.loading import check_fit, read_lens
from streamaffect.runtime.bundle import Bundle, load_bundle
from tests.support.bundles import edit_lens, write_bundle, write_lens


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return load_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def folder(tmp_path: Path, bundle: Bundle) -> Path:
    return write_lens(tmp_path / "colours", bundle.path)


def test_a_lens_is_read_with_its_outputs_and_what_it_reads(folder: Path, bundle: Bundle) -> None:
    lens = read_lens(folder)
    check_fit(lens, bundle)
    assert (lens.name, lens.manifest.label, lens.manifest.inputs) == ("colours", "colours@1.0", ("features",))
    assert [output.name for output in lens.manifest.outputs if not output.weak] == ["red", "green"]


def test_a_lens_of_another_encoder_is_refused_with_both_hashes(folder: Path, bundle: Bundle) -> None:
    edit_lens(folder, encoder="0" * 64)
    with pytest.raises(LensError, match=r"belongs to the frame encoder 000000000000…, .* has [0-9a-f]{12}…"):
        open_lenses([f"mine={folder}"], bundle)


def test_a_graph_that_was_altered_is_refused(folder: Path) -> None:
    with (folder / "lens.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"lens\.onnx: sha256 is .* the file was altered"):
        read_lens(folder)


def test_a_map_that_the_bundle_does_not_give_is_missed(tmp_path: Path, bundle: Bundle) -> None:
    folder = write_lens(tmp_path / "spatial", bundle.path, reads="map")
    with pytest.raises(LensError, match=r"reads map, which .* gives features, clip, context, valid, affect"):
        open_lenses([f"mine={folder}"], bundle)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 2}, "schema is 2, this version reads 1"),
        ({"outputs": []}, "outputs is empty"),
        ({"graphs": {}}, "graphs must hold 'lens' alone"),
        ({"outputs": [{"name": "red", "range": [0, 1]}]}, "calibration needs the spread 'spread' and a quantile ≥ 0"),
        ({"version": 1}, r"Expected `str`, got `int` - at `\$.version`"),
    ],
)
def test_a_broken_listing_is_one_clear_line(folder: Path, changes: dict[str, object], words: str) -> None:
    edit_lens(folder, **changes)
    with pytest.raises(LensError, match=words) as refused:
        read_lens(folder)
    assert str(folder / "lens.json") in str(refused.value)


def test_a_folder_without_a_listing_is_no_lens(tmp_path: Path) -> None:
    with pytest.raises(LensError, match=r"lens\.json: cannot be read .* a lens is a folder that holds lens\.json"):
        read_lens(tmp_path)


def test_a_lens_inside_a_bundle_is_found_by_its_name_and_by_all(bundle: Bundle) -> None:
    write_lens(bundle.path / "lenses" / "colours", bundle.path)
    assert [lens.name for lens in open_lenses(["colours"], bundle)] == ["colours"]
    assert [lens.name for lens in open_lenses(["all"], bundle)] == [
        "colours"
    ]  # the shipped ones are of another encoder


def test_a_misspelt_name_gets_the_nearest_one(bundle: Bundle) -> None:
    write_lens(bundle.path / "lenses" / "colours", bundle.path)
    with pytest.raises(LensError, match=r"--lens colors: there is no such lens; did you mean colours\?"):
        open_lenses(["colors"], bundle)


def test_a_lens_that_would_hide_a_head_is_refused(folder: Path, bundle: Bundle) -> None:
    with pytest.raises(LensError, match="the bundle has a head of that name"):
        open_lenses([f"affect={folder}"], bundle)


def test_the_shipped_lenses_belong_to_the_shipped_bundle() -> None:
    bundle = load_bundle()
    assert "units" in lens_folders(bundle)
    assert {lens.name for lens in open_lenses(["all"], bundle)} == set(lens_folders(bundle)) - {"aligned"}
    (named,) = open_lenses(["aligned"], bundle)
    assert not named.manifest.in_all


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lens", "unites"], "--lens unites: there is no such lens; did you mean units?"),
        (["--lens", " , "], "--lens: is empty; expected names, e.g. units,map, or all"),
        (["--lens", "units,voice"], "--lens voice: voice comes by other words, --sound auto or --sound mic"),
        (["--prompts", __file__], f"{__file__}: is a file; prompts are read from TOML"),
        (["--prompts", "word " * 200], "has 200 words, 999 characters; at most 40 and 200 are taken"),
    ],
    ids=lambda one: " ".join(one)[:16] if isinstance(one, list) else "",
)
def test_the_command_line_refuses_in_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--source", "demo", *words, "--no-display", "--bind", "tcp://127.0.0.1:0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
