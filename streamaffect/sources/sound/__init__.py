"""From sound to blocks: mono at 16 kHz, on the clock of the pictures beside it.

    packets ─ SoundDecoder ─ chunks ─ Anchor ─ pieces ─ SoundBlock ─▶ Ear: a ring, or whoever listens

- `ear`:        who is told what is heard, and that there is nothing to hear.
- `anchor`:     the time line: samples are counted, and anchored again where count and clock disagree.
- `ring`:       the last seconds of sound by absolute time, with what was not heard.
- `resampler`:  any rate, any sample format, any number of channels to mono at one rate.
- `decoder`:    packets of one audio track to chunks of samples with the container's time stamps.
- `tracks`:     which of several audio tracks is meant, and why there may be none.
- `in_file`:    a track on the file's own clock; `alongside` reads it from the demuxer that pictures come from, and
                `file_sound` hands it over. (`sources/sound_file.py` reads sound alone.)
- `remote`:     the sound of a network camera, placed beside the pictures of the same camera.
- `microphone`, `devices`: microphones of this machine, through PortAudio.

Nothing is imported here: PyAV and PortAudio are loaded when something asks for sound.
"""
