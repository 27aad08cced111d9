"""What the picture looks like with nobody in it, learned slowly, pixel by pixel, in integers.

Each pixel keeps the level it usually has, how much it usually deviates (mean absolute deviation), how long that level
has been seen, and a *candidate*: another level that it shows at present, and for how long. A candidate that has been
there longer than the level itself takes its place. That is a running mode: a person who stood in the first picture is
forgotten as soon as the floor behind was seen for longer; a thing put down is learned after `ABSORB_S`; a person who
stands still is not, because the tracker covers the place with a track (`cover`).

A picture is compared with what is expected here and now. Auto-exposure is followed by `edge.vision.light`.
A shadow dims a surface and leaves its colour and its texture: it counts as nothing known, neither person nor floor
(Horprasert, Harwood and Davis 1999; texture: Leone and Distante 2007).

Levels are 1/128 of a grey level (int16), deviations 1/16 (int16), times 1/64 s (uint16). They are compared as float32,
which holds all of these values and products exactly enough to be the same on every machine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
I16 = npt.NDArray[np.int16]

Rows = npt.NDArray[np.float32]

TICKS_PER_S = 64
SURE = 16  # weight of a pixel that is certainly not the background
NEUTRAL = 6  # of one in shadow: about as much as the share of a person's box that the person doesn't fill
FULL = 9 * SURE  # of a smoothed pixel: the sum over 3 x 3
FOREGROUND = FULL // 2
LEAST_CONTRAST = 6  # grey levels above four mean deviations
FIRST_DEVIATION = 32  # 2 grey levels
MOST_DEVIATION = 20 * 16
SHADOW_DARKEST = (
    7  # sixteenths of the level without shadow: a person's clothes are often darker, a shadow indoors isn't
)
SHADOW_TEXTURE = 10  # grey levels
LEARN_S = 12.0
FOLLOW_LIGHT_S = 2.0  # a shadow or a reflection where nobody is
ABSORB_S = 15.0  # a thing that was put down, or taken away
ABSORB_PERSON_S = 600.0
SETTLED_S = 1.5  # a level that was seen for so long isn't given up for what a track covers
BESIDE = 6  # pixels right beside somebody, whose light is taken for that behind
OPEN, TENTATIVE, COVERED = 0, 1, 2  # what a pixel of `cover` says
_F = np.float32
LEVEL, DEVIATION = _F(1.0 / 128.0), _F(4.0 / 16.0)  # of a level a grey level; four deviations
LEAST, SOFT, MOST_FAR, TWICE = _F(LEAST_CONTRAST), _F(4.0), _F(8.0), _F(2.0)
DIMMED, HALF, UNIT = _F(NEUTRAL), _F(0.5), _F(1.0)
NONE, GREY, DARKEST, TEXTURE = _F(0.0), _F(128.0), _F(SHADOW_DARKEST / 16.0), _F(SHADOW_TEXTURE)


class Background(NamedTuple):
    """The model, at the working size [h, w] (chroma [hc, wc]: the same, or half of it)."""

    level: I16  # [h, w]
    deviation: I16  # [h, w]
    support: U16  # [h, w] how long the level was seen, up to ABSORB_S
    candidate: I16  # [h, w]
    candidate_age: U16  # [h, w]
    u: I16  # [hc, wc]
    v: I16  # [hc, wc]
    colour_deviation: I16  # [hc, wc]
    raw: U8  # [h, w] weight of each pixel, 0 to SURE
    colour: U8  # [h, w] twice the weight from colour alone, and 1 where the colour is the background's in less light
    smooth: U8  # [h, w] sum of raw over 3 x 3, 0 to FULL
    cover: U8  # [h, w] where tracks are
    rows: Rows  # [7, w] room to work in
    colour_codes: Rows  # [w] room to work in


def new_background(height: int, width: int, chroma_shift: int) -> Background:
    """Room for a model. ``chroma_shift`` is 1 where chroma has half the working resolution, else 0."""
    size = (height, width)
    chroma = ((height + chroma_shift) >> chroma_shift, (width + chroma_shift) >> chroma_shift)
    return Background(
        np.zeros(size, np.int16),
        np.full(size, FIRST_DEVIATION, np.int16),
        np.zeros(size, np.uint16),
        np.zeros(size, np.int16),
        np.zeros(size, np.uint16),
        np.zeros(chroma, np.int16),
        np.zeros(chroma, np.int16),
        np.full(chroma, FIRST_DEVIATION, np.int16),
        np.zeros(size, np.uint8),
        np.zeros(size, np.uint8),
        np.zeros(size, np.uint8),
        np.zeros(size, np.uint8),
        np.zeros((7, width), np.float32),
        np.zeros(width, np.float32),
    )


@njit(cache=True, nogil=True)
def _relight_covered(model: Background, y: U8) -> None:
    """What is behind people, in a light that has changed: row by row by the factor left and right of them."""
    height, width = y.shape
    for i in range(height):
        j = 0
        while j < width:
            if model.cover[i, j] == OPEN:
                j += 1
                continue
            begin = j
            while j < width and model.cover[i, j] != OPEN:
                j += 1
            left = right = 0
            if begin >= BESIDE:
                left = _factor(model, y, i, begin - BESIDE, begin)
            if j + BESIDE <= width:
                right = _factor(model, y, i, j, j + BESIDE)
            left, right = left if left > 0 else right, right if right > 0 else left
            if left == 0:
                left = right = 256
            for k in range(begin, j):
                factor = (left * (j - k) + right * (k - begin)) // (j - begin)
                model.level[i, k] = min(int(model.level[i, k]) * factor >> 8, 255 << 7)
                model.candidate_age[i, k] = 0


@njit(cache=True, nogil=True)
def _factor(model: Background, y: U8, i: int, begin: int, end: int) -> int:
    """The light of a piece of a row by the model's, 256 for the same."""
    is_light: Any = 0
    was_light: Any = 0
    for k in range(begin, end):
        is_light += np.int64(y[i, k]) << 7
        was_light += np.int64(model.level[i, k])
    return int(min((is_light << 8) // max(was_light, 1), 1 << 11))


@njit(cache=True, nogil=True)
def start(model: Background, y: U8, u: U8, v: U8, keep_covered: bool) -> None:
    """Begin again with this picture; with ``keep_covered``, where tracks are only the light is brought up to date."""
    if keep_covered:
        _relight_covered(model, y)
    height, width = y.shape
    shift = 1 if model.u.shape[1] < width else 0
    for i in range(height):
        for j in range(width):
            if keep_covered and model.cover[i, j] != 0:
                continue
            model.level[i, j] = np.int64(y[i, j]) << 7
            model.support[i, j] = 0
            model.candidate_age[i, j] = 0
            model.u[i >> shift, j >> shift] = np.int64(u[i >> shift, j >> shift]) << 7
            model.v[i >> shift, j >> shift] = np.int64(v[i >> shift, j >> shift]) << 7


@njit(cache=True, nogil=True)
def _compare_colour(model: Background, y: U8, u: U8, v: U8) -> None:
    """For each pixel twice the weight from colour alone, and one more where it is the background's colour, dimmed."""
    height, width = y.shape
    chroma_height, chroma_width = model.u.shape
    shift = 1 if chroma_width < width else 0
    step = 1 << shift
    codes, was, now = model.colour_codes, model.rows[0], model.rows[1]
    for i in range(chroma_height):
        line = min(i << shift, height - 1)
        light, usual = y[line], model.level[line]
        for j in range(chroma_width):
            was[j] = _F(usual[j * step]) * LEVEL
            now[j] = _F(light[j * step])
        is_u, is_v, usual_u, usual_v, spread = u[i], v[i], model.u[i], model.v[i], model.colour_deviation[i]
        for j in range(chroma_width):
            middle_u, middle_v = _F(usual_u[j]) * LEVEL, _F(usual_v[j]) * LEVEL
            now_u, now_v = _F(is_u[j]), _F(is_v[j])
            limit = LEAST + _F(spread[j]) * DEVIATION
            far = abs(now_u - middle_u) + abs(now_v - middle_v) - limit + SOFT
            far = far if far > NONE else NONE
            far = far if far < MOST_FAR else MOST_FAR
            dimmed = abs((now_u - GREY) * was[j] - (middle_u - GREY) * now[j])
            dimmed += abs((now_v - GREY) * was[j] - (middle_v - GREY) * now[j])
            same = UNIT if dimmed <= limit * was[j] else NONE
            codes[j] = np.floor(far * TWICE) * TWICE + same
        row = model.colour[line]
        if shift == 0:
            for j in range(width):
                row[j] = np.uint8(np.int32(codes[j]))
            continue
        for j in range(width >> 1):
            code = np.uint8(np.int32(codes[j]))
            row[2 * j] = code
            row[2 * j + 1] = code
        row[width - 1] = np.uint8(np.int32(codes[chroma_width - 1]))
        if line + 1 < height:
            below = model.colour[line + 1]
            for j in range(width):
                below[j] = row[j]


@njit(cache=True, nogil=True)
def _take_row(level: I16, y: U8, usual: Rows, light: Rows) -> None:
    for j in range(len(y)):
        usual[j] = _F(level[j]) * LEVEL
        light[j] = _F(y[j])


@njit(cache=True, nogil=True)
def _compare(model: Background, y: U8) -> None:
    """Row by row, in loops so plain that they become vector instructions; three rows at a time are kept as float."""
    height, width = y.shape
    for i in range(2):
        _take_row(model.level[min(i, height - 1)], y[min(i, height - 1)], model.rows[2 * i], model.rows[2 * i + 1])
    for j in range(width):
        model.rows[4, j] = model.rows[0, j]
        model.rows[5, j] = model.rows[1, j]
    above, here, below = 4, 0, 2
    texture = model.rows[6]
    for i in range(height):
        if i + 1 < height and i > 0:
            _take_row(model.level[i + 1], y[i + 1], model.rows[below], model.rows[below + 1])
        usual, light = model.rows[here], model.rows[here + 1]
        # the texture of either side, so that the edge of a shadow is like its inside
        for j in range(1, width - 1):
            left = abs(light[j - 1] * usual[j] - usual[j - 1] * light[j])
            right = abs(light[j + 1] * usual[j] - usual[j + 1] * light[j])
            texture[j] = left if left < right else right
        usual_up, light_up = model.rows[above], model.rows[above + 1]
        usual_down, light_down = model.rows[below], model.rows[below + 1]
        for j in range(1, width - 1):
            up = abs(light_up[j] * usual[j] - usual_up[j] * light[j])
            down = abs(light_down[j] * usual[j] - usual_down[j] * light[j])
            up = up if up < down else down
            texture[j] = up if up > texture[j] else texture[j]
        deviation, colour, raw = model.deviation[i], model.colour[i], model.raw[i]
        raw[0] = 0
        raw[width - 1] = 0
        for j in range(1, width - 1):
            was, now = usual[j], light[j]
            far = abs(now - was) - LEAST - _F(deviation[j]) * DEVIATION + SOFT
            far = far if far > NONE else NONE
            far = far if far < MOST_FAR else MOST_FAR
            weight = np.floor(far * TWICE)
            code = _F(colour[j])
            by_colour = np.floor(code * HALF)
            weight = weight if weight > by_colour else by_colour
            dimmed = weight if weight < DIMMED else DIMMED
            dimmed = dimmed if code - TWICE * by_colour > HALF else weight
            dimmed = dimmed if texture[j] < was * TEXTURE else weight
            dimmed = dimmed if now > was * DARKEST else weight
            raw[j] = np.uint8(np.int32(dimmed if now < was else weight))
        above, here, below = here, below, above


@njit(cache=True, nogil=True)
def _smooth(raw: U8, smooth: U8) -> None:
    """Sum over 3 x 3; 0 along the edge."""
    height, width = raw.shape
    for j in range(width):
        smooth[0, j] = 0
        smooth[height - 1, j] = 0
    for i in range(1, height - 1):
        a, b, c, out = raw[i - 1], raw[i], raw[i + 1], smooth[i]
        out[0] = 0
        out[width - 1] = 0
        for j in range(1, width - 1):
            top = a[j - 1] + a[j] + a[j + 1]
            middle = b[j - 1] + b[j] + b[j + 1]
            out[j] = top + middle + c[j - 1] + c[j] + c[j + 1]


@njit(cache=True, nogil=True)
def compare(model: Background, y: U8, u: U8, v: U8) -> None:
    """Fill ``model.smooth``: how little each neighbourhood of 3 x 3 looks like the background, 0 to FULL."""
    _compare_colour(model, y, u, v)
    _compare(model, y)
    _smooth(model.raw, model.smooth)


@njit(cache=True, nogil=True)
def _step(difference: Any, rate: Any) -> Any:
    """``difference`` times ``rate`` / 2^15, rounded to nearest."""
    return (difference * rate + (1 << 14)) >> 15


@njit(cache=True, nogil=True)
def learn(model: Background, y: U8, u: U8, v: U8, first_row: int, row_step: int, elapsed_s: float) -> None:
    """Take in every ``row_step``-th row of this picture, from ``first_row`` on; ``elapsed_s`` since they were taken in.

    Call after `compare`, with ``cover`` up to date.
    """
    height, width = y.shape
    shift = 1 if model.u.shape[1] < width else 0
    slow = min(int(32768.0 * elapsed_s / (LEARN_S + elapsed_s)), 32767)
    fast = min(int(32768.0 * elapsed_s / (FOLLOW_LIGHT_S + elapsed_s)), 32767)
    ticks = max(int(elapsed_s * TICKS_PER_S + 0.5), 1)
    longest, person = int(ABSORB_S * TICKS_PER_S), int(ABSORB_PERSON_S * TICKS_PER_S)
    settled = int(SETTLED_S * TICKS_PER_S)
    for i in range(first_row, height, row_step):
        line = i >> shift
        for j in range(width):
            light = np.int64(y[i, j])
            level = np.int64(model.level[i, j])
            difference = (light << 7) - level
            weight = model.smooth[i, j]
            column = j >> shift
            if weight < FOREGROUND and (model.cover[i, j] != COVERED or weight < FULL // 8):
                rate = fast if weight > FULL // 8 else slow
                young = 32768 // (2 + model.support[i, j] // ticks)  # the plain mean of what was seen so far
                rate = max(rate, young)
                model.level[i, j] = level + _step(difference, rate)
                deviation = np.int64(model.deviation[i, j])
                model.deviation[i, j] = deviation + _step((abs(difference) >> 3) - deviation, max(slow, young >> 2))
                model.support[i, j] = min(model.support[i, j] + ticks, longest)
                model.candidate_age[i, j] = 0
                if (i & shift) == 0 and (j & shift) == 0:
                    far_u = (np.int64(u[line, column]) << 7) - model.u[line, column]
                    far_v = (np.int64(v[line, column]) << 7) - model.v[line, column]
                    model.u[line, column] += _step(far_u, rate)
                    model.v[line, column] += _step(far_v, rate)
                    deviation = np.int64(model.colour_deviation[line, column])
                    far = (abs(far_u) + abs(far_v)) >> 3
                    model.colour_deviation[line, column] = deviation + _step(far - deviation, max(slow, young >> 2))
                continue
            from_candidate = (light << 7) - model.candidate[i, j]
            limit = (LEAST_CONTRAST << 7) + (FIRST_DEVIATION * 4 << 3)
            if abs(from_candidate) < limit and model.candidate_age[i, j] > 0:
                model.candidate[i, j] += _step(from_candidate, 8192)
                model.candidate_age[i, j] = min(model.candidate_age[i, j] + ticks, person + 1)
            else:
                model.candidate[i, j] = light << 7
                model.candidate_age[i, j] = ticks
                if model.cover[i, j] == OPEN:  # a door, a lamp, leaves: what always moves gets less attention
                    model.deviation[i, j] = min(
                        model.deviation[i, j] + _step(abs(difference) >> 3, slow), MOST_DEVIATION
                    )
            needed = int(model.support[i, j])
            if model.cover[i, j] == COVERED:  # in the first seconds the box may still hold where the person came from
                needed = needed if needed < settled else person
            if model.candidate_age[i, j] > needed:
                model.level[i, j] = model.candidate[i, j]
                model.support[i, j] = min(model.candidate_age[i, j], longest)
                model.deviation[i, j] = FIRST_DEVIATION
                model.candidate_age[i, j] = 0
                model.u[line, column] = np.int16(u[line, column]) << 7
                model.v[line, column] = np.int16(v[line, column]) << 7
