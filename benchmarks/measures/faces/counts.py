"""A count of wrong outcomes, with the interval in which the true share lies."""

import math
from dataclasses import dataclass

Z = 1.96  # of 95 %


@dataclass(frozen=True, slots=True)
class Count:
    """How many of how many were wrong."""

    part: str
    figure: str
    wrong: int
    of: int
    note: str = ""

    @property
    def share(self) -> float:
        """Wrong ones, [0, 1]; 0 of none."""
        return self.wrong / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share (Wilson 1927)."""
        if not self.of:
            return 0.0, 1.0
        squared = Z**2 / self.of
        middle = (self.share + squared / 2) / (1 + squared)
        reach = Z * math.sqrt(self.share * (1 - self.share) / self.of + squared / 4 / self.of) / (1 + squared)
        return max(0.0, middle - reach), min(1.0, middle + reach)
