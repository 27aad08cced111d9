"""What a small picture tells of the lens: how bright, how much structure, how much of it is where it used to be.

The picture is averaged down to some 128 columns and its logarithm taken, so that a lamp or the exposure, which multiply
all pixels of a neighbourhood alike, only add a constant there; its slopes (x and y as one complex number) are then
those of the things seen, whatever the light. Their likeness to a slow reference, and the place of the best likeness
(by Fourier transform: the correlation theorem), tell a covered lens and a moved camera apart from people and lamps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drivers.frames import Plane

Floats = npt.NDArray[np.float32]
Slopes = npt.NDArray[np.complex64]

COLUMNS = 128  # of the small picture, about: cells of 2 to 3 pixels in a picture of 320
_READ_NOISE = 8.0  # grey levels added before the logarithm: noise isn't taken for structure in the dark
_LEAST_SLOPE = 0.02  # of the logarithm, between neighbours: fainter edges than 2 % carry nothing
_LEAST_NOISE = 0.003  # of the logarithm: pictures out of a codec have less noise than their steps
_SIGMAS = 5.0  # above noise, for an edge to count


def small_picture(y: Plane) -> Floats:
    """Means of square cells, float32[h, w], of every few pixels where the cells are large."""
    cell = max(1, y.shape[1] // COLUMNS)
    step = max(1, cell // 4)
    part = y[::step, ::step]
    cell = max(1, cell // step)
    rows, columns = part.shape[0] // cell, part.shape[1] // cell
    blocks = part[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    sums = np.zeros((rows, columns), np.uint32)
    for i in range(cell):
        for j in range(cell):
            sums += blocks[:, i, :, j]
    return sums.astype(np.float32) / np.float32(cell * cell)


def log_picture(small: Floats) -> Floats:
    """Its logarithm."""
    log: Floats = np.log(small + np.float32(_READ_NOISE))
    return log


def slopes_of(log: Floats) -> Slopes:
    """Differences to the right and down as real and imaginary part, complex64[h - 1, w - 1]."""
    slopes = np.empty((log.shape[0] - 1, log.shape[1] - 1), np.complex64)
    slopes.real = log[:-1, 1:] - log[:-1, :-1]
    slopes.imag = log[1:, :-1] - log[:-1, :-1]
    return slopes


def noise_of(log: Floats, before: Floats) -> float:
    """Standard deviation of one picture's noise, from two: what moved and a change of light as a whole don't count."""
    change = (log - before)[::2, ::2]
    change = np.abs(change - np.median(change))
    return max(_LEAST_NOISE, float(np.median(change)) * 1.4826 / math.sqrt(2.0))


def _steepest(slopes: Slopes, noise: float) -> list[float]:
    """Slopes that 5 % and 0.5 % of all are steeper than, less what noise alone would make of them (Rayleigh's law)."""
    squares = (slopes.real**2 + slopes.imag**2).ravel()
    shares = (0.05, 0.005)
    places = [int((1.0 - share) * (squares.size - 1)) for share in shares]
    squares.partition(places)
    noises = [-4.0 * noise * noise * math.log(share) for share in shares]
    return [math.sqrt(max(float(squares[k]) - less, 0.0)) for k, less in zip(places, noises, strict=True)]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a picture compares with the reference.

    Attributes:
        kept: share of the reference's edges that are where they were; 1 is all, about 0 none.
        structure: how steep the steepest slopes are, wherever they are, as a share of the reference's.
    """

    kept: float
    structure: float


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where the reference's picture is to be found in this one.

    Attributes:
        here: correlation of the slopes, at most one cell away; -1 to 1.
        best: the highest correlation anywhere.
        shift: columns and rows from the reference to where `best` is.
    """

    here: float
    best: float
    shift: tuple[int, int]


class Reference:
    """A slow mean of slopes; people average out of it."""

    def __init__(self, slopes: Slopes) -> None:
        self.mean = slopes.copy()
        self.count = 1
        self._spectrum: npt.NDArray[np.complex64] | None = None

    def learn(self, slopes: Slopes, share: float) -> None:
        """Take a picture in, by that share."""
        self.count += 1
        self.mean += np.float32(share) * (slopes - self.mean)
        self._spectrum = None

    def edges(self, noise: float) -> npt.NDArray[np.bool_]:
        """Where there is something to recognise."""
        floor = max(_LEAST_SLOPE, _SIGMAS * noise * math.sqrt(2.0 / min(self.count, 100)))
        mask: npt.NDArray[np.bool_] = self.mean.real**2 + self.mean.imag**2 > floor * floor
        return mask

    def likeness(self, slopes: Slopes, noise: float) -> Likeness:
        """Compare a picture of the same size."""
        mask = self.edges(noise)
        mine, kept = self.mean[mask], slopes[mask]
        energy = float((mine.real**2 + mine.imag**2).sum()) + 1e-9
        share = float((kept.real * mine.real + kept.imag * mine.imag).sum()) / energy
        now, used_to = _steepest(slopes, noise), _steepest(self.mean, noise / math.sqrt(self.count))
        return Likeness(share, max(a / max(b, _LEAST_SLOPE) for a, b in zip(now, used_to, strict=True)))

    def find(self, slopes: Slopes) -> Whereabouts:
        """Look for the reference at every place (two Fourier transforms: for once a second)."""
        if self._spectrum is None:
            self._spectrum = np.conj(np.fft.fft2(self.mean))
        product = np.fft.ifft2(np.fft.fft2(slopes) * self._spectrum).real
        product /= np.sqrt((np.abs(self.mean) ** 2).sum() * (np.abs(slopes) ** 2).sum()) + 1e-9
        here = float(max(product[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)))
        row, column = divmod(int(product.argmax()), product.shape[1])
        rows, columns = product.shape
        down = row - rows if row > rows // 2 else row
        right = column - columns if column > columns // 2 else column
        return Whereabouts(here, float(product.max()), (right, down))
