"""Which driver a board or a camera has. What a driver may be told, `drivers.kind_options` and `drivers.camera.options`
say.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, field_validator, model_validator

from edge.config.section import Section

DRIVER_TYPES = ("simulated", "trace", "bridge", "spi", "gpio", "iio")
CAMERA_DRIVER_TYPES = ("picamera2", "video", "simulated")


class DriverOptions(Section):
    """Which kind of hardware a board hangs on."""

    known: ClassVar[tuple[str, ...]] = DRIVER_TYPES

    type: str
    options: dict[str, object] = Field(default_factory=dict)

    @field_validator("type")
    @classmethod
    def _type_is_known(cls, value: str) -> str:
        if value not in cls.known:
            raise ValueError(f"expected a known driver: {', '.join(cls.known)}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """In YAML: the driver's name, or a mapping of `type` and the driver's own options side by side."""
        kind = {"type": "string", "enum": list(cls.known)}
        options = {"type": "object", "properties": {"type": kind}, "required": ["type"], "additionalProperties": True}
        return {"title": "Driver", "anyOf": [kind, options]}


class CameraDriverOptions(DriverOptions):
    """Which kind of camera it is."""

    known: ClassVar[tuple[str, ...]] = CAMERA_DRIVER_TYPES
