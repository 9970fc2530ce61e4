"""Finding the faces of a picture.

- `detector`: the protocol `FaceDetector`, and MediaPipe behind it; `litert` runs the same weights without MediaPipe.
- `tiles`:    wraps a detector so that it also finds small faces in high-resolution frames.
- `upright`:  wraps one so that it reads faces rightly that lie on their side or stand on their head.
- `opening`:  from the settings to the detector that they ask for.
- `native_log` and `weights` are what those share.
"""
