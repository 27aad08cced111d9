"""The two loops that can't be vectorised: a ringing plate, and a converter that averages and creeps."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@nb.njit(cache=True, nogil=True)
def ring(
    load: Floats, held: Floats, state: Floats, mode_hz: Floats, damping: float, softening_g: float, step_s: float
) -> Floats:
    """Mode loads as the plate passes them on: float64[modes, n] from float64[modes, n].

    Each mode is ``y'' = ω²(u - y) - 2ζω y'``, solved exactly for a load held over each step (the matrix exponential of
    the underdamped oscillator, any textbook on vibration). ω falls with what lies on the board:
    ``ω = ω₀ / √(1 + held / softening)``. Changes `state` (float64[modes, 2]: y and y') in place.

    Args:
        held: float64[n], grams lying on the board, which slow it down.
    """
    modes, n = load.shape
    out = np.empty_like(load)
    for mode in range(modes):
        y, v = state[mode, 0], state[mode, 1]
        known = -1.0
        a11 = a12 = a21 = a22 = 0.0
        for k in range(n):
            if held[k] != known:
                known = held[k]
                omega = 2.0 * math.pi * mode_hz[mode] / math.sqrt(1.0 + max(known, 0.0) / softening_g)
                sigma = damping * omega
                damped = omega * math.sqrt(1.0 - damping * damping)
                decay = math.exp(-sigma * step_s)
                c, s = math.cos(damped * step_s), math.sin(damped * step_s) / damped
                a11 = decay * (c + sigma * s)
                a12 = decay * s
                a21 = -decay * omega * omega * s
                a22 = decay * (c - sigma * s)
            away = y - load[mode, k]
            y = load[mode, k] + a11 * away + a12 * v
            v = a21 * away + a22 * v
            out[mode, k] = y
        state[mode, 0], state[mode, 1] = y, v
    return out


@nb.njit(cache=True, nogil=True)
def spline(u: float, order: int) -> float:
    """B-spline of `order` conversions' width at ``u`` conversions before its end: the impulse response of sinc^order.

    Cox-de Boor on whole-numbered knots; ``∫ = 1``.
    """
    if u < 0.0 or u >= order:
        return 0.0
    values = np.zeros(order + 1)
    values[int(u)] = 1.0
    for width in range(2, order + 1):
        for i in range(order - width + 1):
            values[i] = ((u - i) * values[i] + (i + width - u) * values[i + 1]) / (width - 1)
    return float(values[0])


@nb.njit(cache=True, nogil=True)
def spline_table(order: int, per_conversion: int) -> Floats:
    """`spline` at ``k / per_conversion``, with one 0 more at the end for the linear interpolation in `convert`."""
    n = order * per_conversion
    table = np.zeros(n + 2)
    for k in range(n):
        table[k] = spline(k / per_conversion, order)
    return table


@nb.njit(cache=True, nogil=True)
def convert(
    force: Floats,
    force_begin_s: float,
    step_s: float,
    time_s: Floats,
    period_s: float,
    order: int,
    table: Floats,
    creep_tau_s: Floats,
    creep_share: Floats,
    creep_state: Floats,
) -> Floats:
    """Grams at each conversion: float64[len(time_s)], the force averaged with the converter's kernel, plus creep.

    Args:
        force: grams on this cell from `force_begin_s` on in steps of `step_s`; begins `order` periods before time_s[0].
        time_s: when each conversion is ready, which is when its kernel ends.
        creep_state: grams of creep so far for each time constant: ``c' = (share · F - c) / τ``; changed in place.
    """
    out = np.empty(time_s.size)
    per_conversion = (table.size - 2) / order
    for k in range(time_s.size):
        last = math.floor((time_s[k] - force_begin_s) / step_s)
        first = math.ceil((time_s[k] - order * period_s - force_begin_s) / step_s)
        total = 0.0
        weights = 0.0
        for i in range(max(first, 0), min(last, force.size - 1) + 1):
            u = (time_s[k] - force_begin_s - i * step_s) / period_s * per_conversion
            j = int(u)
            weight = table[j] + (u - j) * (table[j + 1] - table[j])
            total += weight * force[i]
            weights += weight
        grams = total / weights
        crept = 0.0
        for c in range(creep_tau_s.size):
            creep_state[c] += (creep_share[c] * grams - creep_state[c]) * (1.0 - math.exp(-period_s / creep_tau_s[c]))
            crept += creep_state[c]
        out[k] = grams + crept
    return out
