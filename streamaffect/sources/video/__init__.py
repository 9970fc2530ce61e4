"""From a container to pictures, by PyAV: what a player would show, at the time at which it would show it.

    path ─ Container ─ packets ─ Decoder ─ frames ─ Deinterlacer ─ Canvas ─ pictures

- `reader`:      what every reader of video files can do, and which one opens a file.
- `av_reader`:   the reader on PyAV; `opencv_reader` is the one where PyAV is not installed.
- `path`:        whether a path can be a video at all, and what it is instead.
- `container`:   opens what FFmpeg can demux: its clock, its length, its packets, in spite of read errors.
- `tracks`:      which of several video tracks is meant, and why there may be none.
- `decoder`:     packets to frames, in spite of errors; `damage` counts them and tells of them once.
- `deinterlace`: whole pictures from fields, where the frames say that they are fields.
- `canvas`:      frames to upright pictures with square pixels, (H, W, 3) uint8 BGR.
- `colour`, `orientation`: what the canvas knows of colour spaces, and of a container's display matrix.

Nothing is imported here: PyAV takes a tenth of a second to load.
"""
