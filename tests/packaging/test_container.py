"""The container recipe, line by line, and the command of the documentation that runs it.

Where a container tool works it is also built and run: see the last test.
"""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from streamaffect.arguments.parser import make_parser

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "Containerfile"
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "VOLUME", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILD_S, RUN_S = 1800.0, 120.0


class Line(NamedTuple):
    """One instruction."""

    word: str
    rest: str


def stages(text: str) -> list[list[Line]]:
    """The instructions of each stage."""
    found: list[list[Line]] = []
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        assert word in KNOWN, f"{word}: no instruction that this test knows"
        if word == "FROM":
            found.append([])
        found[-1].append(Line(word, rest.strip()))
    return found


def all_of(word: str, stage: list[Line]) -> list[str]:
    return [line.rest for line in stage if line.word == word]


def faults(text: str) -> list[str]:
    """What is wrong with a recipe."""
    build, final = stages(text)
    found = []
    copied = [source for rest in all_of("COPY", build) for source in rest.split()[:-1]]
    found += [f"{name}: is copied and not there" for name in copied if not (ROOT / name).exists()]
    found += [f"{name}: is not copied" for name in needed() if name not in copied]
    found += [f"{base}: no release that is tested" for base in images(build, final) if not is_supported(base)]
    installs = [rest for rest in all_of("RUN", build) if "pip install" in rest]
    if [f"{flag}" for flag in ("-c constraints.txt", "--only-binary=:all:") if flag not in " ".join(installs)]:
        found.append("what is installed is not what was tested")
    if any(not rest.startswith("--from=build ") for rest in all_of("COPY", final)):
        found.append("the image holds more than what was installed")
    if re.search(r"\b(apt|apt-get|curl|wget|pip)\b", " ".join(all_of("RUN", final))):
        found.append("the image fetches something")
    users = all_of("USER", final)
    if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
        found.append("it runs as root, or as a user that the kernel cannot tell from it")
    after = final[max((at for at, line in enumerate(final) if line.word == "USER"), default=0) :]
    if any(line.word in ("RUN", "COPY") for line in after):
        found.append("something is changed after the user was")
    volumes = {volume for rest in all_of("VOLUME", final) for volume in json.loads(rest)}
    owned = {word for rest in all_of("RUN", final) for word in rest.split() if word.startswith("/")}
    found += [f"{volume}: cannot be written by the user" for volume in sorted(volumes - owned)]
    if (entry := json.loads(all_of("ENTRYPOINT", final)[-1])) != ["streamaffect"]:
        found.append(f"{entry}: is not the program")
    words = json.loads(all_of("CMD", final)[-1])
    if not make_parser().parse_args(words).bind.startswith(tuple(f"ipc://{volume}/" for volume in volumes)):
        found.append("nobody outside can read the feed")
    return found


def needed() -> list[str]:
    """What setuptools reads of the checkout."""
    folders = sorted({path.split("/")[0] for path in PROJECT["tool"]["setuptools"]["package-dir"].values()})
    return ["pyproject.toml", PROJECT["project"]["readme"], "LICENSE", "NOTICE", "constraints.txt", *folders]


def images(*parts: list[Line]) -> list[str]:
    return [all_of("FROM", part)[0].split()[0] for part in parts]


def is_supported(image: str) -> bool:
    found = re.fullmatch(r"docker\.io/library/python:3\.(\d+)-slim-\w+", image)
    return found is not None and 11 <= int(found[1]) <= 13


def run_line() -> list[str]:
    """The words of the documented command."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^podman run .*$", text, re.MULTILINE)
    return shlex.split(line)


def test_the_recipe_copies_what_there_is_and_runs_without_rights() -> None:
    assert faults(RECIPE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("USER 10001:10001", "it runs as root"),
        ("COPY train train", "train: is not copied"),
        ("RUN install -d -m 0700 -o 10001 -g 10001 /cache /feed /recordings", "/cache: cannot be written"),
    ],
)
def test_a_recipe_without_this_line_has_a_fault(line: str, fault: str) -> None:
    text = RECIPE.read_text(encoding="utf-8")
    assert any(one.startswith(fault) for one in faults(text.replace(f"{line}\n", "")))


def test_the_documented_command_gives_the_container_the_camera_and_nothing_else() -> None:
    words = run_line()
    options, inside = words[: words.index("streamaffect")], words[words.index("streamaffect") + 1 :]
    given = dict(pairwise(options))
    assert {"--read-only", "--rm"} <= set(options)
    assert (given["--network"], given["--cap-drop"], given["--security-opt"]) == ("none", "all", "no-new-privileges")
    assert given["--device"] == "/dev/video0"
    assert given["--tmpfs"] == "/tmp"
    volumes = {words[at + 1].split(":")[1] for at, word in enumerate(words) if word == "-v"}
    _, final = stages(RECIPE.read_text(encoding="utf-8"))
    assert volumes == {volume for rest in all_of("VOLUME", final) for volume in json.loads(rest)}
    parsed = make_parser().parse_args(inside)
    assert parsed.bind.startswith("ipc:///feed/")
    assert parsed.record.startswith("/recordings/")


def container_tool() -> str:
    """The container tool of this machine; skips where none works."""
    for tool in ("podman", "docker"):
        if shutil.which(tool) and subprocess.run([tool, "info"], capture_output=True, check=False).returncode == 0:
            return tool
    pytest.skip("no container tool works here")


@pytest.mark.slow
@pytest.mark.timeout(BUILD_S + RUN_S)
def test_the_image_is_built_and_runs_read_only_without_a_network() -> None:
    tool = container_tool()
    build = [tool, "build", "-q", "-t", "streamaffect-test", "-f", str(RECIPE), str(ROOT)]
    subprocess.run(build, check=True, timeout=BUILD_S)
    words = ["--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "--cap-drop", "all"]
    inside = "run --source demo --no-display --max-seconds 5 --bind ipc:///feed/affect --record /recordings/a.jsonl"
    ended = subprocess.run(
        [tool, "run", *words, "streamaffect-test", *inside.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
    )
    assert ended.returncode == 0, ended.stderr
