"""What health tells of the shelf MCU behind a board."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from drivers.bridge import BridgeDriver
from edge.node.mcu_facts import mcu_facts
from firmware_bridge.protocol.identity import Identity


def _bridge(link: object) -> BridgeDriver:
    mcu: Any = SimpleNamespace(name="/dev/ttyUSB0", link=link, join=lambda reader: None, leave=lambda reader: None)
    driver = BridgeDriver("b1", ["l"], 80.0, {}, mcu=lambda options: mcu)
    driver.start()
    return driver


def test_firmware_serial_and_boots_are_told() -> None:
    identity = Identity(0, 3, 1, "1.4.0", "atmega328p-nano", "bay-12-left", 17, image_crc32=0xBEEF)
    facts = mcu_facts(_bridge(SimpleNamespace(identity=identity)))
    assert facts is not None
    assert facts["firmware"] == "1.4.0"
    assert facts["serial"] == "bay-12-left"
    assert facts["boots"] == 17
    assert facts["image_crc32"] == "0000beef"


def test_before_it_has_spoken_and_without_one_nothing_is_told() -> None:
    assert mcu_facts(_bridge(SimpleNamespace(identity=None))) is None
    assert mcu_facts(_bridge(None)) is None
    assert mcu_facts(BridgeDriver("b1", ["l"], 80.0, {})) is None
