"""From a box to where somebody stands: the place on the floor whose upright body would make that box.

Seen steeply, a box's lower edge isn't where the feet are: straight below the camera they are under the shoulders, and
beyond the camera's foot the head is the lower end. So the whole camera is taken from the floor map, and the place is
sought from which a body (a stack of discs, `BODY`, the feet half a step apart) is seen in a box with the same middle.

A floor map is K [r1 r2 t] up to a factor. With square pixels and the optical axis through the picture's middle only
the focal length is unknown; r1 and r2 being of one length and at right angles gives it (Zhang 2000, equations 3 and 4).
A camera that looks straight down doesn't tell it, and there it matters least: a usual lens is assumed as far as the map
is silent. The third column is then r1 x r2, upwards.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from edge.vision.floor import FloorMap

Floats = npt.NDArray[np.float64]

BODY = np.array([(0.0, 200.0), (800.0, 180.0), (1400.0, 230.0), (1710.0, 100.0)])  # height, radius, mm
TALL_SD = 0.06  # how much people differ in height, as a share
STANCE_SD_MM = 60.0  # a stride, a bag, an arm: how far the body is from upright discs
USUAL_FOCAL = 0.65  # of the picture's width: 75 degrees
SILENT = 0.01  # the map's own say about the focal length counts half where it is so weak (a tilt of about 8 degrees)
ROUNDS, CLOSE_PX = 12, 0.01
STEP_MM, MOST_STEP_MM = 5.0, 2000.0
LEAST_DEPTH_MM = 300.0  # nobody's head is nearer to the lens


class Upright(NamedTuple):
    """A camera over a floor."""

    camera: Floats  # [3, 4] mm (x, y, up, 1) to pixels; the third row is the depth in mm
    focal: float  # pixels
    origin: Floats  # [2] mm, store coordinates of the camera's x, y = 0
    map_covariance: Floats  # [9, 9] of the floor map's elements and of its lens
    map_scale: float  # the floor map's homogeneous factor by that of ``camera``
    lens: Floats  # [4] the picture's middle x, y and half its diagonal, pixels, and the map's ``radial``


def upright_camera(floor: FloorMap, width: int, height: int) -> Upright:
    """The camera of a floor map, with a picture of ``width`` x ``height`` pixels."""
    middle = np.array([[1.0, 0.0, 0.5 * width], [0.0, 1.0, 0.5 * height], [0.0, 0.0, 1.0]])
    centred = np.linalg.inv(middle) @ floor.plane.to_pixels
    one, two = centred[:, 0], centred[:, 1]
    scale = 0.5 * float(one[:2] @ one[:2] + two[:2] @ two[:2])
    slopes = np.array([one[:2] @ two[:2], 0.5 * (one[:2] @ one[:2] - two[:2] @ two[:2])]) / scale
    depths = np.array([one[2] * two[2], 0.5 * (one[2] ** 2 - two[2] ** 2)]) / scale
    usual = (USUAL_FOCAL * width) ** -2
    inverse_square = (usual * SILENT**2 - slopes @ depths) / (SILENT**2 + slopes @ slopes)
    focal = float(np.clip(inverse_square, usual / 25.0, usual * 25.0)) ** -0.5
    pinhole = np.diag([focal, focal, 1.0])
    bare = np.linalg.inv(pinhole) @ centred
    factor = 0.5 * float(np.linalg.norm(bare[:, 0]) + np.linalg.norm(bare[:, 1]))
    bare = bare / factor
    up = np.cross(bare[:, 0], bare[:, 1])
    if up @ bare[:, 2] > 0.0:  # the camera, at -R^T t, is above the floor
        up = -up
    camera = middle @ pinhole @ np.column_stack([bare[:, 0], bare[:, 1], up, bare[:, 2]])
    lens = np.array([0.5 * width, 0.5 * height, 0.5 * float(np.hypot(width, height)), floor.plane.radial])
    covariance = np.ascontiguousarray(floor.plane.covariance)
    return Upright(np.ascontiguousarray(camera), focal, floor.plane.origin_mm, covariance, factor, lens)


@njit(cache=True)
def _box_of(camera: Floats, focal: float, x: float, y: float, tall: float, out: Floats) -> bool:
    """Middle, width and height of a body's box at x, y mm into ``out``; False if some of it is behind the lens."""
    left, right, top, bottom = 1e18, -1e18, 1e18, -1e18
    for k in range(len(BODY)):
        up = BODY[k, 0] * tall
        depth = camera[2, 0] * x + camera[2, 1] * y + camera[2, 2] * up + camera[2, 3]
        if depth < LEAST_DEPTH_MM:
            return False
        u = (camera[0, 0] * x + camera[0, 1] * y + camera[0, 2] * up + camera[0, 3]) / depth
        v = (camera[1, 0] * x + camera[1, 1] * y + camera[1, 2] * up + camera[1, 3]) / depth
        radius = focal * BODY[k, 1] / depth
        left, right = min(left, u - radius), max(right, u + radius)
        top, bottom = min(top, v - radius), max(bottom, v + radius)
    out[0], out[1], out[2], out[3] = 0.5 * (left + right), 0.5 * (top + bottom), right - left, bottom - top
    return True


@njit(cache=True)
def stand(upright: Upright, x_px: float, y_px: float, x_var: float, y_var: float, out: Floats) -> bool:
    """Where the person stands whose box has its middle at x_px, y_px, with these variances (pixels of the map).

    ``out`` float64[7]: place x, y in mm, its covariance xx, xy, yy in mm², and the pixel x, y of the feet.
    False if there is no such place: at or above the horizon.
    """
    camera, focal, lens = upright.camera, upright.focal, upright.lens
    square = ((x_px - lens[0]) ** 2 + (y_px - lens[1]) ** 2) / (lens[2] * lens[2])
    straight = 1.0 / (1.0 + lens[3] * square)  # the box is straightened as a whole, by its middle
    x_px, y_px = lens[0] + straight * (x_px - lens[0]), lens[1] + straight * (y_px - lens[1])
    x_var, y_var = x_var * straight * straight, y_var * straight * straight
    up = 0.5 * BODY[-1, 0]
    a, b = camera[0, 0] - x_px * camera[2, 0], camera[0, 1] - x_px * camera[2, 1]
    c, d = camera[1, 0] - y_px * camera[2, 0], camera[1, 1] - y_px * camera[2, 1]
    e = x_px * (camera[2, 2] * up + camera[2, 3]) - camera[0, 2] * up - camera[0, 3]
    f = y_px * (camera[2, 2] * up + camera[2, 3]) - camera[1, 2] * up - camera[1, 3]
    area = a * d - b * c
    if area == 0.0:
        return False
    x, y = (e * d - b * f) / area, (a * f - e * c) / area
    here, there = np.empty(4), np.empty(4)
    for _ in range(ROUNDS):
        if not _box_of(camera, focal, x, y, 1.0, here):
            return False
        if not _box_of(camera, focal, x + STEP_MM, y, 1.0, there):
            return False
        a, c = (there[0] - here[0]) / STEP_MM, (there[1] - here[1]) / STEP_MM
        if not _box_of(camera, focal, x, y + STEP_MM, 1.0, there):
            return False
        b, d = (there[0] - here[0]) / STEP_MM, (there[1] - here[1]) / STEP_MM
        area = a * d - b * c
        if area == 0.0:
            return False
        e, f = x_px - here[0], y_px - here[1]
        x += min(max((e * d - b * f) / area, -MOST_STEP_MM), MOST_STEP_MM)
        y += min(max((a * f - e * c) / area, -MOST_STEP_MM), MOST_STEP_MM)
        if e * e + f * f < CLOSE_PX * CLOSE_PX:
            break
    depth = camera[2, 0] * x + camera[2, 1] * y + camera[2, 3]
    if e * e + f * f > 1.0 or depth <= 0.0 or not _box_of(camera, focal, x, y, 1.0 + TALL_SD, there):
        return False
    u = (camera[0, 0] * x + camera[0, 1] * y + camera[0, 3]) / depth
    v = (camera[1, 0] * x + camera[1, 1] * y + camera[1, 3]) / depth
    uu, uv, vv = x_var, 0.0, y_var
    by_u = np.array([x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, 0.0]) / (depth * upright.map_scale)
    by_v = np.array([0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, 0.0]) / (depth * upright.map_scale)
    by_u[8], by_v[8] = (x_px - lens[0]) * square * straight, (y_px - lens[1]) * square * straight
    for i in range(9):
        for j in range(9):
            spread = upright.map_covariance[i, j]
            uu += by_u[i] * spread * by_u[j]
            uv += by_u[i] * spread * by_v[j]
            vv += by_v[i] * spread * by_v[j]
    tall_u, tall_v = there[0] - here[0], there[1] - here[1]
    uu, uv, vv = uu + tall_u * tall_u, uv + tall_u * tall_v, vv + tall_v * tall_v
    stance = STANCE_SD_MM * STANCE_SD_MM
    out[0], out[1] = x + upright.origin[0], y + upright.origin[1]
    out[2] = (d * d * uu - 2.0 * d * b * uv + b * b * vv) / (area * area) + stance
    out[3] = (-c * d * uu + (a * d + b * c) * uv - a * b * vv) / (area * area)
    out[4] = (c * c * uu - 2.0 * a * c * uv + a * a * vv) / (area * area) + stance
    across, down = (u - lens[0]) / lens[2], (v - lens[1]) / lens[2]
    bent = 2.0 / (1.0 + math.sqrt(max(1.0 - 4.0 * lens[3] * (across * across + down * down), 0.0)))
    out[5], out[6] = lens[0] + bent * across * lens[2], lens[1] + bent * down * lens[2]
    return True


def body_sizes(upright: Upright, width: int, height: int, scale: int, cell: int) -> Floats:
    """How large people are where: float64[rows, columns, 2] width and height, in pixels of a picture that is
    ``width`` x ``height`` and ``scale`` times smaller than the map's, for boxes with their middle in each square of
    ``cell`` pixels; 0 where nobody stands.
    """
    sizes = np.zeros(((height + cell - 1) // cell, (width + cell - 1) // cell, 2))
    place, box = np.empty(7), np.empty(4)
    for row, column in np.ndindex(sizes.shape[:2]):
        x, y = (column + 0.5) * cell * scale, (row + 0.5) * cell * scale
        if stand(upright, x, y, 0.0, 0.0, place):
            local = place[:2] - upright.origin
            _box_of(upright.camera, upright.focal, local[0], local[1], 1.0, box)
            sizes[row, column] = box[2:] / scale
    return sizes
