"""An 8 x 8 map over a face crop in words: which parts of the face it lies on.

The crop is turned upright and cut by the detector's box, so that the parts of a frontal face lie in the same cells.
"""

from collections.abc import Mapping

SIDE = 8
LEAST_SHARE = 0.12  # of the map's sum, to be named
MOST_NAMED = 3

Part = tuple[int, int, int, int]  # rows, then columns: the first and the one after the last

# Each cell belongs to one region. Left and right are the picture's.
REGIONS: Mapping[str, tuple[Part, ...]] = {
    "forehead": ((0, 2, 0, 8),),
    "left eye and brow": ((2, 4, 0, 3),),
    "right eye and brow": ((2, 4, 5, 8),),
    "between the eyes": ((2, 4, 3, 5),),
    "nose": ((4, 5, 3, 5),),
    "left cheek": ((4, 5, 0, 3), (5, 7, 0, 2)),
    "right cheek": ((4, 5, 5, 8), (5, 7, 6, 8)),
    "mouth": ((5, 7, 2, 6),),
    "chin": ((7, 8, 0, 8),),
}


def cell_name(row: int, column: int) -> str:
    """The name of a cell among a lens's outputs: "y0x0" is at the top left."""
    return f"y{row}x{column}"


CELLS = tuple(cell_name(row, column) for row in range(SIDE) for column in range(SIDE))


def region_shares(cells: Mapping[str, float]) -> dict[str, float]:
    """Share of the map's sum in each region, the largest first; what is negative counts for nothing."""
    total = sum(max(value, 0.0) for value in cells.values())
    if total <= 0:
        return {}
    shares = {
        region: sum(max(cells.get(name, 0.0), 0.0) for part in parts for name in _cells_in(part)) / total
        for region, parts in REGIONS.items()
    }
    return dict(sorted(shares.items(), key=lambda item: item[1], reverse=True))


def _cells_in(part: Part) -> list[str]:
    top, bottom, left, right = part
    return [cell_name(row, column) for row in range(top, bottom) for column in range(left, right)]


def regions_in_words(cells: Mapping[str, float]) -> str:
    """ "mouth 41 %, left eye and brow 20 %"; "nowhere in particular" for a map that is flat."""
    named = [(name, share) for name, share in region_shares(cells).items() if share >= LEAST_SHARE][:MOST_NAMED]
    return ", ".join(f"{name} {round(100 * share)} %" for name, share in named) or "nowhere in particular"
