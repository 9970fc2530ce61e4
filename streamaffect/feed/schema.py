"""The JSON Schema of the wire, generated from the types: `python -m streamaffect.feed.schema docs/wire.schema.json`."""

import argparse
import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from streamaffect.feed.wire import SCHEMA
from streamaffect.messages import Message

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REPEAT = {
    "type": "boolean",
    "default": False,
    "description": "True on the copy of a topic's last message that is sent because somebody has just subscribed",
}


def wire_schema() -> dict[str, Any]:
    """The schema of any payload of schema v1; fields that it does not name are allowed and to be ignored."""
    schema: dict[str, Any] = {"$schema": DIALECT, "title": f"streamaffect wire, schema v{SCHEMA}"}
    schema |= msgspec.json.schema(Message, schema_hook=_any_value)
    messages = schema["discriminator"]["mapping"].values()
    for name, definition in schema["$defs"].items():
        # Python 3.13 takes the indentation from docstrings, earlier ones keep it
        definition["description"] = inspect.cleandoc(definition["description"])
        if f"#/$defs/{name}" in messages:
            definition["properties"] |= {"v": {"const": SCHEMA}, "repeat": REPEAT}
            definition["required"] = ["v", *definition["required"]]
    return schema


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(wire_schema(), indent=1) + "\n"


def _any_value(kind: type) -> dict[str, Any]:
    """The schema of a field whose type is left open."""
    if kind is object:
        return {"description": "any JSON value"}
    raise TypeError(f"{kind} has no JSON Schema")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m streamaffect.feed.schema", description="Write the schema of the feed."
    )
    parser.add_argument("file", type=Path, help="where to write it, as docs/wire.schema.json")
    parser.parse_args().file.write_text(schema_text(), encoding="utf-8")
