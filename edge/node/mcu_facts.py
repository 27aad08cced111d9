"""What a driver knows of the shelf MCU it reads through, for health."""

from __future__ import annotations

from typing import Any

from drivers.contract import LoadCellDriver

NO_SENSOR_MV = 0xFFFF


def sensor_mv(driver: LoadCellDriver) -> int | None:
    """What the MCU measures on A7, in mV, about once a second; None without an MCU, or where it says that nothing is
    there.
    """
    from drivers.bridge import BridgeDriver

    mcu = driver.mcu if isinstance(driver, BridgeDriver) else None
    status = mcu.link.status if mcu is not None and mcu.link is not None else None
    return None if status is None or status.sensor_mv == NO_SENSOR_MV else status.sensor_mv


def mcu_facts(driver: LoadCellDriver) -> dict[str, Any] | None:
    """Firmware, serial and state of the MCU; None for a driver without one, or before the MCU has said who it is."""
    from drivers.bridge import BridgeDriver

    mcu = driver.mcu if isinstance(driver, BridgeDriver) else None
    link = mcu.link if mcu is not None else None
    identity = link.identity if link is not None else None
    if mcu is None or identity is None:
        return None
    return {
        "port": mcu.name,
        "firmware": identity.firmware,
        "protocol": identity.protocol,
        "board": identity.board,
        "serial": identity.serial,
        "boots": identity.boot_count,
        "image_crc32": f"{identity.image_crc32:08x}",
    }
