"""The meta message: what a subscriber must know to read a stream."""

from collections.abc import Sequence

from msgspec import UNSET

from streamaffect.messages import NOTICE, HeadMeta, Meta
from streamaffect.pipeline.worker import Stream
from streamaffect.runtime.bundle import Bundle
from streamaffect.runtime.engine import EngineInfo
from streamaffect.version import SOFTWARE
from streamaffect.voice.fusion import ACTIVITY, AROUSAL, FACE, JOINT, MODALITIES, VOICE

SHARE, SIGNED = (0.0, 1.0), (-1.0, 1.0)


def make_meta(
    stream: Stream, bundle: Bundle, engine: EngineInfo, *, t_ns: int, lenses: Sequence[HeadMeta] = (), run: str = ""
) -> Meta:
    """Describe a stream that is about to start.

    t_ns:   UTC nanoseconds, 0 for a file read offline
    lenses: that look at it; they come after the heads of the bundle, and before what is heard
    run:    id of the run; empty where it has none
    """
    manifest = bundle.manifest
    return Meta(
        stream=stream.name,
        t_ns=t_ns,
        source=stream.info.address,
        live=stream.info.live,
        model=manifest.label,
        bundle_sha256=bundle.sha256,
        heads=[*head_metas(bundle), *lenses, *_heard(stream)],
        clip_s=manifest.clip.length_s,
        context_s=manifest.context.clips * manifest.clip.length_s,
        engine=str(engine),
        engine_reason=engine.reason,
        software=SOFTWARE,
        notice=NOTICE,
        run=run or UNSET,
    )


def head_metas(bundle: Bundle) -> list[HeadMeta]:
    """The heads of a bundle as subscribers see them."""
    return [
        HeadMeta(
            name=head.name,
            kind=head.kind,
            outputs=[{"name": output.name, "range": output.range, "unit": output.unit} for output in head.outputs],
        )
        for head in bundle.manifest.published_heads
    ]


def _heard(stream: Stream) -> list[HeadMeta]:
    """What `voice.fusion` adds to the estimates of a stream that somebody listens to."""
    if stream.faces.speaker is None:
        return []
    fuses = stream.fusion is not None or stream.both is not None
    weights = [FACE, VOICE, *([JOINT] if fuses else [])]
    return [
        HeadMeta(
            name=VOICE,
            kind=VOICE,
            outputs=[
                {"name": ACTIVITY, "range": SHARE, "unit": "share", "label": "speech"},
                {"name": AROUSAL, "range": SIGNED, "unit": "affect"},
            ],
            summary="What is heard of the voice: the share of the last two seconds with speech, and its arousal",
        ),
        HeadMeta(
            name=MODALITIES,
            kind=MODALITIES,
            outputs=[{"name": name, "range": SHARE, "unit": "weight"} for name in weights],
            summary="What the estimate rests on: the face, the voice in its place, or both weighed together",
        ),
    ]
