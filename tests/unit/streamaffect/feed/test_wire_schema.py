import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from streamaffect.feed.schema import schema_text
from streamaffect.feed.wire import as_repeat, encode
from streamaffect.messages import Message
from tests.support.recordings import ESTIMATE, estimates, events

ROOT = Path(__file__).parents[4]
SCHEMA = ROOT / "docs" / "wire.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
GOLDEN = sorted((ROOT / "tests" / "golden_messages" / "v1").glob("*.json"))


def test_the_schema_in_the_docs_is_the_one_of_the_types() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m streamaffect.feed.schema docs/wire.schema.json"
    )


def test_the_documented_command_writes_the_schema(tmp_path: Path) -> None:
    out = tmp_path / "wire.schema.json"
    subprocess.run([sys.executable, "-m", "streamaffect.feed.schema", str(out)], check=True, cwd=ROOT)
    assert out.read_bytes() == SCHEMA.read_bytes()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_message_keeps_to_the_schema(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text(encoding="utf-8")))


@given(estimates | events)
def test_what_is_sent_keeps_to_the_schema(message: Message) -> None:
    VALIDATOR.validate(json.loads(encode(message)))


def test_a_repeat_keeps_to_the_schema() -> None:
    VALIDATOR.validate(json.loads(as_repeat(encode(ESTIMATE))))


@pytest.mark.parametrize("changes", [{"v": 2}, {"valence": 1.5}, {"repeat": "yes"}, {"status": "asleep"}, {"box": [0]}])
def test_the_schema_refuses_what_is_wrong(changes: dict[str, object]) -> None:
    assert not VALIDATOR.is_valid(json.loads(encode(ESTIMATE)) | changes)
