"""Overlap of boxes, and the suppression of detections that show the same face twice."""

from streamaffect.types import Box, Face


def intersection(a: Box, b: Box) -> float:
    """Area that two boxes share, as a share of the frame's area."""
    width = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
    height = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
    return max(0.0, width) * max(0.0, height)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, [0, 1]; 0 for boxes without area."""
    shared = intersection(a, b)
    union = a.w * a.h + b.w * b.h - shared
    return shared / union if union > 0 else 0.0


def cover(a: Box, b: Box) -> float:
    """Share of the smaller box that lies within the other one, [0, 1]; 1 where one contains the other."""
    smaller = min(a.w * a.h, b.w * b.h)
    return intersection(a, b) / smaller if smaller > 0 else 0.0


def suppress(faces: list[Face], max_cover: float) -> list[Face]:
    """The faces in the order of their scores, without those that are covered by a better one beyond `max_cover`."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: face.score, reverse=True):
        if all(cover(face.box, other.box) <= max_cover for other in kept):
            kept.append(face)
    return kept
