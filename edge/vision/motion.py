"""How people move: a Kalman filter per axis with constant velocity, white acceleration noise and sizes from physics.

A person's box is about as wide as shoulders and a step together, from any angle: `BODY_WIDTH_M`. That gives
pixels per metre where no floor map is known, and with it everything that follows is in metres and seconds.
Formulas: Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking and Navigation (2001), 6.3.2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float64]

BODY_WIDTH_M = 0.55
ACCELERATION_M_S2 = 2.0  # people start and turn within a step
WALKING_M_S = 1.3  # what one is expected to do who has just come into sight
FASTEST_M_S = 3.0
FORGET_VELOCITY_S = 0.5  # of one who can't be seen: who walked on would soon be seen again
POSITION, VELOCITY, VAR_POSITION, COVARIANCE, VAR_VELOCITY = range(5)  # columns of a state


@njit(cache=True)
def at_rest(state: Floats, position: float, position_sd: float, velocity_sd: float) -> None:
    """A new state float64[5]: somewhere, in any direction."""
    state[POSITION], state[VELOCITY] = position, 0.0
    state[VAR_POSITION], state[COVARIANCE], state[VAR_VELOCITY] = position_sd**2, 0.0, velocity_sd**2


@njit(cache=True)
def predict(state: Floats, elapsed_s: float, acceleration: float) -> None:
    """On by ``elapsed_s``; ``acceleration``: its standard deviation."""
    t, q = elapsed_s, acceleration * acceleration
    state[POSITION] += t * state[VELOCITY]
    state[VAR_POSITION] += 2.0 * t * state[COVARIANCE] + t * t * state[VAR_VELOCITY] + 0.25 * q * t * t * t * t
    state[COVARIANCE] += t * state[VAR_VELOCITY] + 0.5 * q * t * t * t
    state[VAR_VELOCITY] += q * t * t


@njit(cache=True)
def update(state: Floats, measured: float, measured_sd: float) -> None:
    """Take in a measured position."""
    total = state[VAR_POSITION] + measured_sd * measured_sd
    gain_position, gain_velocity = state[VAR_POSITION] / total, state[COVARIANCE] / total
    innovation = measured - state[POSITION]
    state[POSITION] += gain_position * innovation
    state[VELOCITY] += gain_velocity * innovation
    state[VAR_VELOCITY] -= gain_velocity * state[COVARIANCE]
    state[COVARIANCE] *= 1.0 - gain_position
    state[VAR_POSITION] *= 1.0 - gain_position
