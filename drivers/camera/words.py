"""What is told of a camera's faults: what was seen, and what to do about it."""

from __future__ import annotations

BEGUN = {
    "stall": "{camera}: no more pictures come; look after the camera's cable at both ends and its supply",
    "dropped frames": "{camera}: {what} of the frames were lost within {lasted}; the computer is too busy or too hot: "
    "lower rate_hz or size, or look after its cooling",
    "frozen": "{camera}: the same picture again and again, without a sensor's noise: the camera hangs; if it doesn't "
    "recover, switch the computer off and on",
    "dark": "{camera}: too dark to see anything; switch the light on, or take the cap off the lens",
    "covered": "{camera}: nothing to recognise in the picture any more: something is right before the lens, or it is "
    "dirty or fogged; clean it and look what hangs there",
    "moved": "{camera}: the camera looks somewhere else than it used to; put it back, or calibrate it again",
    "strange": "{camera}: nothing in the picture is where it used to be; if the camera was turned, put it back or "
    "calibrate it again; if the place was rebuilt, restart the node",
}
"""By cause; 'strange' is told as 'moved'."""

OVER = {
    "stall": "{camera}: pictures come again after {lasted}",
    "frozen": "{camera}: the picture lives again after {lasted}",
    "dark": "{camera}: light again after {lasted}",
    "covered": "{camera}: the view is free again after {lasted}",
    "moved": "{camera}: the camera looks where it used to again after {lasted}",
    "strange": "{camera}: the picture is the usual one again after {lasted}",
}


def lasted(ns: int) -> str:
    """A time in words' brevity: '0.4 s', '12 s', '5 min', '3.2 h'."""
    seconds = ns / 1e9
    if seconds < 10.0:
        return f"{seconds:.1f} s"
    if seconds < 120.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 7200.0 else f"{seconds / 3600.0:.1f} h"
