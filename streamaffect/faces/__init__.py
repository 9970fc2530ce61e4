"""From a frame to aligned pictures of its faces.

    Frame.image ─ detector ─ list[Face] ─ tracker ─ TrackUpdate ─ crop_face ─ (S, S, 3) RGB ─ measure ─ Quality

- `detectors`: MediaPipe and LiteRT behind the protocol `FaceDetector`, what they are wrapped in, and which is taken.
- `survey`:   what that detector passes over, and why no face was found.
- `cadence`:  says when the detector looks, and follows faces by their picture in between.
- `cuts`:     notices a cut, after which all faces are new.
- `tracker`:  gives the detections stable ids, bridges short occlusions and smooths boxes and keypoints.
- `crop`:     cuts the aligned square that the frame encoder sees; training uses the same function.
- `quality`:  says how usable the crop is; `advice`, what would make it better.
- `boxes`, `one_euro` and `shrink` are what those share.

Nothing is imported here: MediaPipe takes a fifth of a second to load.
"""
