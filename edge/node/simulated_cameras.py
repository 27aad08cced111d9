"""The records that simulated ceiling cameras would have been given by a careful installer.

Their pinhole hangs over the origin of the store's floor, and its picture's upper edge lies towards +y.
"""

from __future__ import annotations

import numpy as np

from calibration.camera_record import CameraRecord
from drivers.camera.options import SimulatedCameraOptions
from drivers.camera.scenes.ceiling import PinholeCamera, Shop
from edge.config.camera_schema import Camera
from edge.config.setup import Setup
from edge.node.simulated_aisle import is_over_floor
from edge.vision.floor import fit_floor

POINTS_M = ((-1.5, -1.0), (1.5, -1.0), (-1.5, 1.2), (1.5, 1.2), (0.0, 0.2), (0.7, -0.4))
POINT_SD_PX = 0.5  # how well somebody clicks


def simulated_records(setup: Setup) -> dict[str, CameraRecord]:
    """For the cameras that are simulated, look at the floor, and have no record."""
    return {
        name: _record(name, camera)
        for name, camera in setup.node.cameras.items()
        if name not in setup.cameras and is_over_floor(camera)
    }


def scene_options(camera: Camera) -> dict[str, object]:
    """A simulated camera's options: where they name no scene, it shows what the camera looks at."""
    return {"scene": "ceiling" if camera.floor else "shelf", **camera.driver.options}


def _record(name: str, camera: Camera) -> CameraRecord:
    wide, high = SimulatedCameraOptions.model_validate(camera.driver.options).size
    pinhole = PinholeCamera(Shop(wide, high))
    pixels = np.array([pinhole.see(x_m, y_m, 0.0)[:2] for x_m, y_m in POINTS_M])
    plane = fit_floor(pixels, 1000.0 * np.array(POINTS_M), POINT_SD_PX).plane
    return CameraRecord.model_validate(
        {
            "camera": name,
            "looks_at": "floor",
            "made": "simulated",
            "size": (wide, high),
            "origin_mm": plane.origin_mm.tolist(),
            "to_pixels": plane.to_pixels.tolist(),
            "covariance": plane.covariance.tolist(),
            "pixel_sd": POINT_SD_PX,
        }
    )
