"""`benchmarks/faults.py`: one fault of its matrix, under the whole program, in a short form."""

import sys
from pathlib import Path

import pytest

from benchmarks.measures.faults import matrix
from benchmarks.measures.faults.camera import FailingCamera
from streamaffect.settings import SourceSettings
from streamaffect.sources.parse import make_source


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="a name is given to this machine, and ports are filled, as on Linux"
)
def test_a_camera_that_hangs_up_is_seen_and_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CALM_S", "HELD_S", "AFTER_S"):
        monkeypatch.setattr(matrix, name, 1.0)
    (outcome,) = matrix.outcomes("rtsp", ["closed"], f"ipc://{tmp_path}/feed")
    assert outcome.seen_s is not None
    assert outcome.back_s is not None
    assert outcome.back_s > 0
    assert 0 <= outcome.lost <= 1


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_what_was_wrong_with_a_camera_is_over_when_it_is_well(scheme: str) -> None:
    settings = SourceSettings(open_timeout_s=20.0, read_timeout_s=10.0)
    camera = FailingCamera(scheme)
    try:
        for fault in matrix.FAULTS:
            camera.play(fault)
            camera.play("well")
        with make_source(f"{scheme}://viewer:s3cret@127.0.0.1:{camera.port}/live", settings=settings) as source:
            info = source.open()
            assert (info.width, info.height) == (640, 360)
    finally:
        camera.close()
