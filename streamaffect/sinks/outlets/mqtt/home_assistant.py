"""What Home Assistant must be told to show a stream as a device: one retained message of its MQTT discovery.

Format: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

import re

import msgspec

from streamaffect.messages import Meta
from streamaffect.sinks.outlets.mqtt.outbox import Publication

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def discovery(meta: Meta, *, at: str, prefix: str, slots: int) -> Publication:
    """The device of a stream.

    at:     prefix of the discovery topics
    prefix: of our own topics
    """
    device = word(f"{prefix}_{meta.stream}")
    components = _of_stream(f"{topic_of(prefix, meta.stream)}/health", device)
    for slot in range(1, slots + 1):
        components |= _of_face(f"{topic_of(prefix, meta.stream)}/face{slot}", device, slot, many=slots > 1)
    payload = {
        "device": {
            "identifiers": [device],
            "name": f"streamaffect {meta.stream}",
            "manufacturer": "streamaffect",
            "model": meta.model,
            "sw_version": meta.software,
        },
        "origin": {"name": "streamaffect", "sw_version": meta.software},
        "availability": [{"topic": f"{prefix}/status"}],
        "components": components,
    }
    return Publication(f"{at}/device/{device}/config", msgspec.json.encode(payload), retain=True, qos=1)


def topic_of(prefix: str, stream: str) -> str:
    """What the topics of a stream begin with. A recording of others may have a stream whose name no topic has."""
    return f"{prefix}/{''.join('_' if one in '+#' else one for one in stream)}"


def word(text: str) -> str:
    """A text with those characters alone that an id of Home Assistant may have."""
    return _UNSAFE.sub("_", text)


Component = dict[str, object]


def _of_face(topic: str, device: str, slot: int, *, many: bool) -> dict[str, Component]:
    name = f"Face {slot}" if many else "Face"
    components: dict[str, Component] = {}
    for value, icon in (("valence", "mdi:emoticon-outline"), ("arousal", "mdi:pulse")):
        components[f"{device}_face{slot}_{value}"] = {
            "platform": "sensor",
            "name": f"{name} {value}",
            "state_topic": topic,
            "value_template": f"{{{{ value_json.{value} }}}}",
            "json_attributes_topic": topic,
            "state_class": "measurement",
            "suggested_display_precision": 2,
            "icon": icon,
        }
    components[f"{device}_face{slot}_present"] = {
        "platform": "binary_sensor",
        "name": name,
        "state_topic": topic,
        "value_template": "{{ 'OFF' if value_json.status == 'absent' else 'ON' }}",
        "device_class": "occupancy",
    }
    return _with_ids(components)


def _of_stream(topic: str, device: str) -> dict[str, Component]:
    components: dict[str, Component] = {
        f"{device}_state": {"platform": "sensor", "name": "State", "value_template": "{{ value_json.state }}"},
        f"{device}_faces": {"platform": "sensor", "name": "Faces", "value_template": "{{ value_json.faces }}"},
        f"{device}_fps": {
            "platform": "sensor",
            "name": "Frames per second",
            "value_template": "{{ value_json.fps_out | round(1) }}",
        },
    }
    for component in components.values():
        component |= {"state_topic": topic, "entity_category": "diagnostic"}
    return _with_ids(components)


def _with_ids(components: dict[str, Component]) -> dict[str, Component]:
    return {name: {"unique_id": name, **component} for name, component in components.items()}
