"""Faces of many videos: cut side by side, kept when interrupted, and an account of what could not be read."""

from pathlib import Path

import pytest

from streamaffect.sources.demo import DEMO_CLIP
from train.data.prepare import Prepared, prepare_videos, read_shard, shard_path, skipped_videos

FRAMES = {"a.mp4": {0, 5}, "b.mp4": {0, 5}}


@pytest.fixture
def videos(tmp_path: Path) -> dict[str, Path]:
    """Two readable videos, and one that is none."""
    made = {name: tmp_path / name for name in ("a.mp4", "b.mp4", "broken.mp4")}
    made["a.mp4"].symlink_to(DEMO_CLIP)
    made["b.mp4"].symlink_to(DEMO_CLIP)
    made["broken.mp4"].write_bytes(b"no video")
    return made


@pytest.mark.slow
@pytest.mark.timeout(600)  # each process loads the detector
def test_videos_are_cut_side_by_side_and_a_broken_one_is_skipped_and_said(
    videos: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "prepared"
    fates: dict[str, str] = {}
    first = prepare_videos(videos, folder, frames=FRAMES, gap_s=0.0, on_done=fates.__setitem__, processes=2)
    assert first.faces.keys() == {"a.mp4", "b.mp4"}
    assert set(first.skipped) == set(skipped_videos(folder)) == {"broken.mp4"}
    assert fates.keys() == videos.keys()
    assert fates["broken.mp4"].startswith("skipped: ")
    alone = prepare_videos({"a.mp4": videos["a.mp4"]}, tmp_path / "alone", frames=FRAMES, gap_s=0.0,
                           on_done=fates.__setitem__)  # fmt: skip
    assert alone.faces == {"a.mp4": first.faces["a.mp4"]}
    side_by_side, single = (read_shard(shard_path(where, "a.mp4")) for where in (folder, tmp_path / "alone"))
    assert (side_by_side.crops == single.crops).all()
    shard_path(folder, "b.mp4").unlink()
    again = prepare_videos(videos, folder, frames=FRAMES, gap_s=0.0, on_done=fates.__setitem__, processes=1)
    assert (again.kept, list(again.faces)) == (("a.mp4",), ["b.mp4"])


def test_the_summary_counts_faces_and_names_what_was_left_out() -> None:
    prepared = Prepared({"a.mp4": 12, "dark.mp4": 0}, ("old.mp4",), {"broken.mp4": "cannot be opened"})
    assert prepared.summary().splitlines() == [
        "2 cut, 12 faces; 1 were there before",
        "without a face: dark.mp4",
        "skipped broken.mp4: cannot be opened",
    ]
