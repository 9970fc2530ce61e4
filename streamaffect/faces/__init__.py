"""From a frame to aligned pictures of its faces.

    Frame.image ─ detector ─ list[Face] ─ tracker ─ TrackUpdate ─ crop_face ─ (S, S, 3) RGB ─ measure ─ Quality

- `detector`: the protocol `FaceDetector`, and MediaPipe behind it; `litert` runs the same weights without MediaPipe.
- `tiles`:    wraps a detector so that it also finds small faces in high-resolution frames.
- `upright`:  wraps one so that it reads faces rightly that lie on their side or stand on their head.
- `opening`:  from the settings to the detector that they ask for.
- `survey`:   what that detector passes over, and why no face was found.
- `cuts`:     notices a cut, after which all faces are new.
- `tracker`:  gives the detections stable ids, bridges short occlusions and smooths boxes and keypoints.
- `crop`:     cuts the aligned square that the frame encoder sees; training uses the same function.
- `quality`:  says how usable the crop is.
- `boxes`, `native_log`, `one_euro`, `shrink` and `weights` are what those share.

Nothing is imported here: MediaPipe takes a fifth of a second to load.
"""
