"""The node's health for Home Assistant: retained messages that make its sensors appear there by themselves.

https://www.home-assistant.io/integrations/sensor.mqtt/ . To take them away again, switch `home_assistant` off and
publish an empty retained message on each topic: ``mosquitto_pub -r -n -t homeassistant/sensor/<node>/<sensor>/config``.
"""

from __future__ import annotations

import re
from typing import Any

from edge.stream.uplink.status import OFFLINE, ONLINE, to_json
from edge.stream.uplink.topics import Names

# object id: name, template on the health report, unit, device class, state class
_SENSORS: dict[str, tuple[str, str, str | None, str | None, str | None]] = {
    "pending": ("Undelivered entries", "{{ value_json.outbox.pending }}", None, None, "measurement"),
    "dropped": ("Dropped entries", "{{ value_json.outbox.dropped_total }}", None, None, "total_increasing"),
    "temperature": (
        "Processor temperature",
        "{{ value_json.host.temperatures_c.values() | reject('none') | max }}",
        "°C",
        "temperature",
        "measurement",
    ),
    "disk_free": ("Free disk", "{{ value_json.host.disk_free_bytes }}", "B", "data_size", "measurement"),
    "memory": ("Own memory", "{{ value_json.host.own_memory_bytes }}", "B", "data_size", "measurement"),
    "loop_late": ("Fusion lateness (p99)", "{{ value_json.loop.late_p99_ms }}", "ms", "duration", "measurement"),
    "review": ("Events for review", "{{ value_json.events.for_review }}", None, None, "total_increasing"),
    "up": ("Up since start", "{{ value_json.up_s }}", "s", "duration", "measurement"),
    "problem_count": ("Problems", "{{ value_json.problems | length }}", None, None, "measurement"),
}


def discovery_messages(names: Names, version: str | None) -> list[tuple[str, bytes]]:
    """Topic and payload of each; to be published retained."""
    node = re.sub(r"[^A-Za-z0-9_-]", "_", names.node)  # what Home Assistant allows in a topic
    unique = re.sub(r"[^A-Za-z0-9_-]", "_", f"shelfedge_{names.store_level}_{names.node}")
    device = {"identifiers": [unique], "name": f"Shelf node {names.node}", "manufacturer": "shelfedge"}
    if version:
        device["sw_version"] = version
    found = []
    for object_id, (name, template, unit, device_class, state_class) in _SENSORS.items():
        config: dict[str, Any] = {
            "name": name,
            "unique_id": f"{unique}_{object_id}",
            "state_topic": names.health,
            "value_template": template,
            "unit_of_measurement": unit,
            "device_class": device_class,
            "state_class": state_class,
            "entity_category": "diagnostic",
            "availability_topic": names.status,
            "availability_template": f"{{{{ '{ONLINE}' if value_json.status == '{ONLINE}' else '{OFFLINE}' }}}}",
            "payload_available": ONLINE,
            "payload_not_available": OFFLINE,
            "device": device,
        }
        config = {key: value for key, value in config.items() if value is not None}
        found.append((f"homeassistant/sensor/{node}/{object_id}/config", to_json(config)))
    return found
