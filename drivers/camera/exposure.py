"""Holding exposure and white balance: automatic until they have settled, then as they are until the light is another.

An automatic exposure answers to whoever walks in, and with it every pixel of the floor changes; a held one changes only
with the light. It is let go again where a held one shows next to nothing, as after closing time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STEADY_FRAMES = 5
_SAME_GAINS = 0.01  # share by which white balance's gains may differ from the frame before
_CONVERGED = 2  # AeState of newer libcamera; older tell AeLocked
_UNDER, _OVER = 30.0, 225.0  # mean grey level of a picture that is of little use
_BAD_S, _AGAIN_S = 5.0, 30.0


class ExposureHold:
    """Decides from each frame's metadata what to set; libcamera's controls by name.

    Args:
        settle_s: how long they may settle, at most.
        known: controls that this camera has.
    """

    def __init__(self, settle_s: float, known: frozenset[str]) -> None:
        self._settle_ns = round(settle_s * 1e9)
        self._known = known
        self.held = False
        self._since_ns: int | None = None
        self._steady = 0
        self._gains: tuple[float, ...] = ()
        self._bad_ns: int | None = None

    def step(self, now_ns: int, metadata: Mapping[str, Any], mean: float) -> dict[str, Any]:
        """Controls to set now; empty for none. ``mean``: of the picture's luma."""
        if self._since_ns is None:
            self._since_ns = now_ns
        if self.held:
            return self._let_go(now_ns, self._since_ns, mean)
        self._steady = self._steady + 1 if self._is_steady(metadata) else 0
        if self._steady < _STEADY_FRAMES and now_ns - self._since_ns < self._settle_ns:
            return {}
        self.held, self._since_ns, self._bad_ns = True, now_ns, None
        wanted: dict[str, Any] = {"AeEnable": False, "AwbEnable": False}
        for name in ("ExposureTime", "AnalogueGain", "ColourGains"):
            if metadata.get(name):
                wanted[name] = metadata[name]
        return self._of_this_camera(wanted)

    def _is_steady(self, metadata: Mapping[str, Any]) -> bool:
        gains = tuple(metadata.get("ColourGains") or ())
        same = len(gains) == len(self._gains) and all(
            abs(now - before) <= _SAME_GAINS * before for now, before in zip(gains, self._gains, strict=True)
        )
        self._gains = gains
        exposed = bool(metadata.get("AeLocked")) or metadata.get("AeState") == _CONVERGED
        return same and exposed

    def _let_go(self, now_ns: int, since_ns: int, mean: float) -> dict[str, Any]:
        if _UNDER <= mean <= _OVER:
            self._bad_ns = None
            return {}
        if self._bad_ns is None:
            self._bad_ns = now_ns
        if now_ns - self._bad_ns < _BAD_S * 1e9 or now_ns - since_ns < _AGAIN_S * 1e9:
            return {}
        self.held, self._since_ns, self._steady, self._gains = False, now_ns, 0, ()
        return self._of_this_camera({"AeEnable": True, "AwbEnable": True, "ExposureTime": 0, "AnalogueGain": 0.0})

    def _of_this_camera(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in wanted.items() if name in self._known}
