"""The recipes that are shipped, method by method, for people who look for one."""

import re
from itertools import takewhile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "configs" / "train"
EPILOG = "Recipes named smoke draw their data and take seconds. Each method has a page in docs/methods."


def recipes() -> list[tuple[Path, str, str]]:
    """File, method, and the first sentence of its comment."""
    import msgspec

    found = []
    for file in sorted(FOLDER.glob("*/*.toml")):
        text = file.read_text(encoding="utf-8")
        method = msgspec.toml.decode(text).get("method")
        if isinstance(method, str):
            found.append((file, method, _first_sentence(text)))
    return found


def overview() -> str:
    """What there is to run, method by method."""
    lines: list[str] = []
    last = ""
    for file, method, about in sorted(recipes(), key=lambda one: one[1]):
        lines += [method] if method != last else []
        lines.append(f"  {file.relative_to(FOLDER.parents[1])}  {about}")
        last = method
    return "\n".join([*lines, "", EPILOG])


def _first_sentence(recipe: str) -> str:
    """Of the comment at the top."""
    comment = takewhile(lambda line: line.startswith("#"), recipe.splitlines())
    return re.split(r"(?<! al)[.:](?= |$)", " ".join(line.lstrip("# ") for line in comment))[0]
