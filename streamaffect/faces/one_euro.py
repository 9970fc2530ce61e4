"""The One Euro filter (Casiez, Roussel and Vogel 2012): a low-pass filter whose cutoff rises with the speed.

At rest it removes jitter; in fast motion it hardly lags. It works on time, so frames may come at irregular intervals.
"""

import math

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


class OneEuroFilter:
    """Smooths a vector of coordinates (n,); the cutoff follows the speed of each coordinate on its own.

    min_cutoff_hz:   cutoff at rest: lower is smoother
    beta:            rise of the cutoff, in Hz, per unit of speed (scales per second): higher lags less
    speed_cutoff_hz: cutoff of the speed's own smoothing
    """

    def __init__(self, *, min_cutoff_hz: float, beta: float, speed_cutoff_hz: float) -> None:
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._speed_cutoff_hz = np.asarray(speed_cutoff_hz, np.float64)
        self._time_s: float | None = None
        self._raw: Vector = np.empty(0)
        self._smooth: Vector = np.empty(0)
        self.speed: Vector = np.empty(0)

    def __call__(self, value: Vector, time_s: float, scale: Vector) -> Vector:
        """value (n,) at `time_s` → smoothed (n,). A speed of one `scale` per second raises the cutoff by `beta`.

        Raises:
            ValueError: `time_s` is not later than the time of the previous call.
        """
        if self._time_s is None:
            self._time_s, self._raw, self._smooth, self.speed = time_s, value, value, np.zeros_like(value)
            return value
        interval_s = time_s - self._time_s
        if interval_s <= 0:
            raise ValueError(f"time must grow: {time_s:.6f} s follows {self._time_s:.6f} s")
        speed_gain = _gain(self._speed_cutoff_hz, interval_s)
        self.speed = self.speed + speed_gain * ((value - self._raw) / interval_s - self.speed)
        cutoff_hz = self._min_cutoff_hz + self._beta * np.abs(self.speed) / scale
        self._smooth = self._smooth + _gain(cutoff_hz, interval_s) * (value - self._smooth)
        self._time_s, self._raw = time_s, value
        return self._smooth


def _gain(cutoff_hz: Vector, interval_s: float) -> Vector:
    """Weight of a new sample in a first-order low-pass filter."""
    turn = 2 * math.pi * interval_s * cutoff_hz
    return turn / (1 + turn)
