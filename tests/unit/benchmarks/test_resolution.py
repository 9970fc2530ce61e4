"""What large pictures cost: how the figures are made of the turns."""

from benchmarks.resolution import Cost, Measured, to_rows


def measured(*turns: tuple[float, float]) -> Measured:
    """Turns of processor ms of the whole and of decoding."""
    return Measured(
        whole=[Cost(whole, whole) for whole, _ in turns], decoding=[Cost(alone, alone) for _, alone in turns]
    )


def test_what_is_left_without_decoding_is_compared_turn_by_turn() -> None:
    small, large = measured((3.0, 1.0), (5.0, 1.0)), measured((9.0, 5.0), (9.0, 5.0))
    first, row = to_rows({360: small, 1080: large})
    assert (first["rest × first"], first["goal"]) == (1.0, None)
    assert (row["the rest CPU ms"], row["rest × first"], row["× low"], row["× high"]) == (4.0, 1.5, 1.0, 2.0)
    assert row["goal"] == 1.6
