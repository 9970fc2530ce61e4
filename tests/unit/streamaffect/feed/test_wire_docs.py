import re
from pathlib import Path

from streamaffect.feed.wire import decode
from streamaffect.messages import Estimate, Voice

DOCS = Path(__file__).parents[4] / "docs"
TEXT = (DOCS / "wire-protocol.md").read_text(encoding="utf-8")


def test_the_documented_messages_are_of_schema_v1() -> None:
    examples = re.findall(r"```json\n(.*?)```", TEXT, flags=re.DOTALL)
    assert [type(decode(example.encode())) for example in examples] == [Estimate, Voice]


def test_every_field_of_an_estimate_is_documented() -> None:
    table = TEXT[TEXT.index("| field |") : TEXT.index("## Rules")]
    documented = set(re.findall(r"`(\w+)`", table))
    assert set(Estimate.__struct_fields__) <= documented


def test_every_file_that_the_page_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert links
    assert [link for link in links if not (DOCS / link).is_file()] == []
