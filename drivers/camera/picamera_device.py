"""A Raspberry Pi camera, opened and closed: what picamera2 wants to be told, and its errors as sentences.

picamera2 comes with Raspberry Pi OS (package python3-picamera2, with libcamera); pip alone can't install it. Its
`stop` may wait forever where the cable was pulled (picamera2 issues 1065, 1264): here it has three seconds.
"""

from __future__ import annotations

import atexit
import importlib
import io
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any

from drivers.camera.options import PicameraOptions
from drivers.errors import DriverError

_BUFFERS = 4  # one with the sensor, one on its way, one kept for stills, one being looked at
_STILL_S, _STOP_S = 1.0, 3.0
_STUCK: list[Any] = []
"""Cameras that don't let go: kept, as picamera2 would wait for them when they are collected."""
_BUSY = ("busy", "acquire", "in use", "-16")


def load_picamera2(camera: str) -> Any:
    """The module. Raises DriverError with how to get it."""
    try:
        return importlib.import_module("picamera2")
    except (ImportError, ValueError, AttributeError, OSError) as error:
        part = "libcamera" if getattr(error, "name", "") == "libcamera" else "picamera2"
        raise DriverError(
            f"{camera}: the picamera2 camera needs a Raspberry Pi with {part} ({error}): sudo apt-get install "
            f"python3-picamera2, and a venv that sees it: python3 -m venv --system-site-packages"
        ) from error


class PicameraDevice:
    """One open camera that runs.

    Args:
        on_request: called for each frame from picamera2's own thread with a request that is only good until it returns.
    Raises:
        DriverError: no such camera, one that another program has, a configuration that it doesn't take.
    """

    def __init__(
        self, module: Any, camera: str, options: PicameraOptions, on_request: Callable[[PicameraDevice, Any], None]
    ) -> None:
        if not hasattr(module.Picamera2, "cancel_all_and_flush"):
            raise DriverError(
                f"{camera}: this picamera2 is too old to be stopped safely; expected 0.3.25 or newer: "
                f"sudo apt-get update && sudo apt-get full-upgrade"
            )
        self._camera = camera
        self._picam2 = _opened(module, camera, _chosen(module, camera, options))
        try:
            self._configure(options)
            self._picam2.post_callback = lambda request: on_request(self, request)
            self._picam2.start()
        except DriverError:
            self.close()
            raise
        except (RuntimeError, ValueError, OSError) as error:
            self.close()
            raise DriverError(
                f"{camera}: the camera doesn't start ({error}); look after its cable, and try: rpicam-hello"
            ) from error

    def _configure(self, options: PicameraOptions) -> None:
        period_us = round(1e6 / options.rate_hz)
        try:
            wanted = self._picam2.create_preview_configuration(
                main={"size": tuple(options.still_size), "format": "RGB888"},
                lores={"size": tuple(options.size), "format": "YUV420"},
                buffer_count=_BUFFERS,
                controls={"FrameDurationLimits": (period_us, period_us)},
                display=None,
                encode=None,
            )
            self._picam2.configure(wanted)
        except (RuntimeError, ValueError) as error:
            raise DriverError(
                f"{self._camera}: the camera doesn't take size {options.size}, still_size {options.still_size} and "
                f"{options.rate_hz:g} Hz ({error}); expected sizes that rpicam-hello --list-cameras shows, or smaller"
            ) from error
        lores = self._picam2.camera_configuration()["lores"]
        self.width, self.height = lores["size"]
        self.stride: int = lores["stride"]

    @property
    def known_controls(self) -> frozenset[str]:
        """Names of the controls that this camera has."""
        return frozenset(self._picam2.camera_controls)

    def set_controls(self, controls: dict[str, Any]) -> None:
        """Takes effect some frames later. Only from within `on_request`: from another thread they may get lost."""
        self._picam2.set_controls(controls)

    def still(self) -> bytes:
        """A JPEG of the main stream's next frame. Raises DriverError when none comes within a second."""
        job = self._picam2.capture_request(wait=False)
        try:
            request = self._picam2.wait(job, timeout=_STILL_S)
        except (TimeoutError, CancelledError) as error:
            self._picam2.cancel_all_and_flush()  # else the job takes a frame later on, and nobody gives it back
            with suppress(TimeoutError, CancelledError):
                self._picam2.wait(job, timeout=0).release()
            raise DriverError(f"{self._camera}: no frame came within {_STILL_S:g} s; look after its cable") from error
        try:
            jpeg = io.BytesIO()
            request.save("main", jpeg, format="jpeg")
        except (RuntimeError, ValueError, OSError) as error:
            raise DriverError(f"{self._camera}: the still can't be made into a JPEG ({error}); try again") from error
        finally:
            request.release()
        return jpeg.getvalue()

    def close(self) -> bool:
        """Let go of the camera. False when it doesn't let go: then it is left as it is, for good."""
        picam2 = self._picam2
        picam2.post_callback = None
        picam2.cancel_all_and_flush()
        try:
            if picam2.started:
                picam2.dispatch_functions([picam2.stop_], wait=_STOP_S, immediate=True)
            picam2.close()
        except (TimeoutError, CancelledError, RuntimeError, OSError):
            atexit.unregister(picam2.close)  # it would keep the process from ending
            _STUCK.append(picam2)
            return False
        return True


def _chosen(module: Any, camera: str, options: PicameraOptions) -> int:
    """The index of the wanted camera among those there are."""
    there = module.Picamera2.global_camera_info()
    if not there:
        raise DriverError(
            f"{camera}: no camera is connected; look after the flat cable at both ends (contacts the right way round), "
            f"then reboot and try: rpicam-hello --list-cameras"
        )
    names = ", ".join(f"{index} is {info.get('Model', 'a camera')}" for index, info in enumerate(there))
    if options.number is not None:
        if options.number < len(there):
            return options.number
        raise DriverError(f"{camera}: no camera number {options.number}; there are: {names}")
    fitting = [index for index, info in enumerate(there) if options.model in (None, info.get("Model"))]
    if not fitting:
        raise DriverError(f"{camera}: no camera of model {options.model}; there are: {names}")
    if len(fitting) > 1:
        raise DriverError(f"{camera}: more than one camera fits ({names}); say which by number, for example number: 0")
    return fitting[0]


def _opened(module: Any, camera: str, index: int) -> Any:
    try:
        return module.Picamera2(index)
    except (RuntimeError, IndexError, OSError) as error:
        causes, each = [], error.__cause__ or error.__context__
        while each is not None:
            causes.append(str(each))
            each = each.__cause__ or each.__context__
        why = "; ".join([str(error).rstrip("."), *causes])
        if any(word in why.lower() for word in _BUSY):
            raise DriverError(
                f"{camera}: the camera is in use by another program ({why}); find it with: "
                f"sudo fuser -v /dev/media* /dev/video*, and stop it"
            ) from error
        raise DriverError(
            f"{camera}: the camera doesn't open ({why}); look after its cable, reboot, and try: rpicam-hello"
        ) from error
