"""The voice beside a face: is somebody speaking, and how aroused do they sound.

    ring of sound ─ activity (Silero) ─ prosody ─ model ─ reading ─▶ beside the face's estimate, by `fusion`

- `prosody`:  how something is said, in numbers that no gain changes.
- `activity`: where in a window somebody speaks.
- `manifest`: what a voice model declares of itself.
- `model`:    a voice model from its folder; a window of sound to a reading.
- `reader`:   what is read of the sound of one stream, as time goes by.
- `speaker`:  whose voice it is.
- `telling`:  readings as messages, whosever voice it is.
- `steps`:    clip vectors and what was heard of one track, step by step.
- `joint`:    the shipped fusion; `hidden`: what it says of faces that are hidden.
- `bundled`:  the fusion that a bundle brings itself.
- `fusion`:   a reading in an estimate, and for a face that is hidden.
"""
