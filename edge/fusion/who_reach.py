"""How far people stand from what they reach for: a density over the floor, and what a board's own events add to it.

Along the shelf a hand goes to either side; out from the board's front edge stands a body, never inside of the shelf.
Both are mixtures of normal distributions, so that a track's own covariance is added exactly. Whoever it was, as far as
that is known, shows how people stand before this board, and how far its `place` in the node file, or the camera's floor
map, is off: one step of expectation maximisation (Dempster, Laird and Rubin 1977) per event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from edge.fusion.who_place import Front, Spot, Stand

# Share, standard deviation along the shelf and out from it, mm. Arms are 0.6 to 0.75 m long; most hands go straight
# ahead, some to the side, and some of the people are seen elsewhere than they are.
PARTS = ((0.62, 130.0, 110.0), (0.30, 260.0, 170.0), (0.08, 450.0, 300.0))
OUT_MM = 430.0  # of the middle of a body before the front edge, for what lies right there
OUT_PER_DEPTH = -0.3  # one steps nearer for what lies behind
SHOULDER_MM, ARM_MM, LEAST_ARM_MM = 1350.0, 650.0, 300.0  # above the shoulder an arm reaches less far
NEAREST_OUT_MM = 100.0  # half of a slim body
TRACK_SD_MM = 40.0  # what a track's covariance doesn't know of: a body that leans isn't above its feet

BIAS_SD_MM = 60.0  # of a board's place as measured with a tape, and of a floor map
PRIOR_EVENTS = 40.0  # how many events the spread above is worth
MOST_EVENTS = 400.0  # older ones are forgotten: cameras get knocked
SCALE = (0.5, 1.7)


@dataclass(slots=True)
class _Axis:
    """One direction: how far it is off on average, and how much wider or narrower than `PARTS` people stand."""

    precision: float = BIAS_SD_MM**-2
    moment: float = 0.0
    events: float = PRIOR_EVENTS
    squares: float = PRIOR_EVENTS

    @property
    def bias_mm(self) -> float:
        return self.moment / self.precision

    @property
    def scale_var(self) -> float:
        return min(max(self.squares / self.events, SCALE[0] ** 2), SCALE[1] ** 2)

    def learn(self, off_mm: float, noise_var: float, shares: list[tuple[float, float]], weight: float) -> None:
        """``shares``: of the parts, with their variance."""
        old_bias = self.bias_mm
        for share, var in shares:
            self.precision += weight * share / (var + noise_var)
            self.moment += weight * share * off_mm / (var + noise_var)
            known = var / (var + noise_var)
            own = known * (off_mm - old_bias)
            self.squares += weight * share * (own * own + var * (1.0 - known)) / var * self.scale_var
        self.events += weight
        keep = MOST_EVENTS / self.events
        if keep < 1.0:
            self.events, self.squares = self.events * keep, self.squares * keep
            self.precision, self.moment = self.precision * keep, self.moment * keep


@dataclass(slots=True)
class Reach:
    """How people stand before one board; begins with what is known of arms."""

    along: _Axis = field(default_factory=_Axis)
    out: _Axis = field(default_factory=_Axis)

    def density(self, front: Front, spot: Spot, stand: Stand) -> float:
        """Of somebody who reaches for that spot to stand there, per square metre."""
        return 1e6 * sum(part[0] for part in self._parts(front, spot, stand))

    def learn(self, front: Front, spot: Spot, stand: Stand, weight: float) -> None:
        """Somebody stood there who reached for that spot; ``weight``: how sure that is."""
        parts = self._parts(front, spot, stand)
        total = sum(part[0] for part in parts)
        if total <= 0.0:
            return
        near = [(part[0] / total, part[1], part[2]) for part in parts[:-1]]  # the last is for what is wrongly seen
        noise = TRACK_SD_MM**2
        self.along.learn(
            stand.along_mm,
            stand.along_var + spot.x_sd_mm**2 + noise,
            [(share, along_var) for share, along_var, _ in near],
            weight,
        )
        out_mm = stand.out_mm - _out_mm(front, spot)
        self.out.learn(out_mm, stand.out_var + noise, [(share, out_var) for share, _, out_var in near], weight)

    def _parts(self, front: Front, spot: Spot, stand: Stand) -> list[tuple[float, float, float]]:
        """Density of each part per mm², and its own variances along and out."""
        mean = _out_mm(front, spot) + self.out.bias_mm
        along = stand.along_mm - self.along.bias_mm
        out = stand.out_mm - mean
        along_noise = stand.along_var + spot.x_sd_mm**2 + TRACK_SD_MM**2 + 1.0 / self.along.precision
        out_noise = stand.out_var + (OUT_PER_DEPTH * spot.y_sd_mm) ** 2 + TRACK_SD_MM**2 + 1.0 / self.out.precision
        found = []
        for share, along_sd, out_sd in PARTS:
            along_own, out_own = along_sd**2 * self.along.scale_var, out_sd**2 * self.out.scale_var
            along_var, out_var = along_own + along_noise, out_own + out_noise
            density = math.exp(-0.5 * (along * along / along_var + out * out / out_var))
            density /= 2.0 * math.pi * math.sqrt(along_var * out_var)
            # Where the person really is, by this part: not inside of the shelf.
            likely, likely_sd = mean + out_own / out_var * out, math.sqrt(out_own * out_noise / out_var)
            density *= _normal((likely - NEAREST_OUT_MM) / likely_sd)
            density /= max(_normal((mean - NEAREST_OUT_MM) / math.sqrt(out_own)), 0.05)
            found.append((share * density, along_own, out_own))
        return found


def _out_mm(front: Front, spot: Spot) -> float:
    above = max(front.height_mm - SHOULDER_MM, 0.0)
    arm = math.sqrt(max(ARM_MM**2 - above**2, LEAST_ARM_MM**2))
    return OUT_MM + OUT_PER_DEPTH * spot.y_mm + arm - ARM_MM


def _normal(z: float) -> float:
    """Cumulative standard normal distribution."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
