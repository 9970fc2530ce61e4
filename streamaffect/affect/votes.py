"""What the frames of one face say together of compound emotions: a vote for the whole video.

Two of the three rules of Richet et al. 2024 for a video's class: the majority of its frames, and the mean of their
scores. The third takes the mean of logits, which products of probabilities do not have.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streamaffect.messages import Estimate, HeadMeta, Votes

KIND: Final = "compound"
LEAST_FRAMES = 10  # of a face, to be worth a vote
CLEAR = 0.36  # four times 0.3 by 0.3: both emotions have three tenths, as in the lens's ground truth


@dataclass(slots=True)
class _Ballot:
    """The frames of one face. largest: by class, in how many it was; sums: of the scores."""

    largest: Counter[str] = field(default_factory=Counter)
    sums: dict[str, float] = field(default_factory=dict)
    clear: int = 0

    def take(self, values: Mapping[str, float]) -> None:
        best = max(values, key=lambda name: values[name])
        self.largest[best] += 1
        self.clear += values[best] >= CLEAR
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def count(self, output: str) -> Votes | None:
        frames = self.largest.total()
        if frames < LEAST_FRAMES:
            return None
        return Votes(
            output=output,
            frames=frames,
            majority=self.largest.most_common(1)[0][0],  # of equals the one that came first
            shares={name: self.largest[name] / frames for name in self.sums},
            means={name: total / frames for name, total in self.sums.items()},
            clear=self.clear / frames,
        )


class VoteCounter:
    """Counts for all faces of a run; refinements, and frames in which the face was not seen, do not vote.

    outputs: names of those that are voted on
    """

    def __init__(self, outputs: Sequence[str] = (KIND,)) -> None:
        self._outputs = outputs
        self._ballots: dict[str, dict[tuple[int, str], _Ballot]] = {}

    def take(self, estimate: Estimate) -> None:
        """Let a frame vote."""
        if estimate.refines is not None or estimate.status == "held":
            return
        for output in self._outputs:
            if values := estimate.outputs.get(output):
                ballots = self._ballots.setdefault(estimate.stream, {})
                ballots.setdefault((estimate.track, output), _Ballot()).take(values)

    def pop(self, stream: str) -> Iterator[tuple[int, Votes]]:
        """The votes of a stream by track, once."""
        for (track, output), ballot in sorted(self._ballots.pop(stream, {}).items(), key=lambda item: item[0]):
            if (votes := ballot.count(output)) is not None:
                yield track, votes

    @property
    def streams(self) -> list[str]:
        """Those that have voted."""
        return list(self._ballots)


def voted_on(heads: Iterable[HeadMeta]) -> list[str]:
    """Names of the heads and lenses that are voted on."""
    return [head.name for head in heads if KIND in (head.kind, head.name)]


def video_votes(estimates: Iterable[Estimate], *, output: str = KIND) -> dict[tuple[str, int], Votes]:
    """The votes of a whole video by stream and track: `video_votes(analyze("a.mp4", lenses="compound"))`.

    output: the one that is voted on. Faces with fewer than ten frames have none.
    """
    counter = VoteCounter([output])
    for estimate in estimates:
        counter.take(estimate)
    return {(stream, track): votes for stream in counter.streams for track, votes in counter.pop(stream)}


def votes_in_words(votes: Votes) -> str:
    """ "happily surprised, largest in 61 % of 240 frames, clear in 12 %"."""
    name = votes.majority.replace("_", " ")
    most = f"{name}, largest in {votes.shares[votes.majority]:.0%} of {votes.frames} frames".replace("%", " %")
    if votes.clear < 0.01:
        return f"{votes.output}: none was ever clear (most often {most}, mean {votes.means[votes.majority]:.2f})"
    return f"{votes.output}: {most}, clear in {100 * votes.clear:.0f} %"
