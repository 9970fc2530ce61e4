"""NVIDIA's driver in name only, so that the real plugin for TensorRT for RTX can be asked, and compiles, without a GPU.

A program runs with three small libraries in place of the driver's, and in a namespace of its own in which the list of
PCI devices holds one card of NVIDIA's. What needs the card itself, such as loading what was compiled, is refused.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
LIBRARIES = {"libcuda.so.1": "LIBCUDA", "libnvidia-ml.so.1": "LIBNVML", "libcudart.so.13": "LIBCUDART"}
CARD = """\
for list in /sys/class/drm /sys/bus/pci/devices; do
    if [ -d $list ]; then mount -t tmpfs none $list || exit 1; fi
done
card=/sys/bus/pci/devices/0000:01:00.0
mkdir -p $card && echo 0x030000 >$card/class && echo 0x10de >$card/vendor && echo 0x2684 >$card/device && exec "$@"
"""


class PretendedDriver:
    """Runs programs beside a card of a compute capability that is not there. Skips the test where that can't be."""

    def __init__(self, folder: Path, capability: str) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("a driver is pretended with a C compiler, and there is none")
        self._namespace = _namespace()
        versions = folder / "versions"
        versions.write_text("libcudart.so.13 { global: *; };\n")
        for name, choice in LIBRARIES.items():
            words = ["-shared", "-fPIC", f"-D{choice}", f"-Wl,-soname,{name}", "-o", str(folder / name)]
            words += [f"-Wl,--version-script={versions}"] if choice == "LIBCUDART" else []
            subprocess.run([compiler, *words, str(SOURCE)], check=True)
        # The real CUDA runtime, which the package has too, comes second to one that is loaded first.
        self._environment = {
            "LD_LIBRARY_PATH": str(folder),
            "LD_PRELOAD": str(folder / "libcudart.so.13"),
            "PRETENDED_CAPABILITY": capability,
        }

    def run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """The program's end, with what it said."""
        inside = [*self._namespace, "sh", "-c", CARD, "sh", "env"]
        words = [f"{name}={value}" for name, value in (self._environment | environment).items()]
        return subprocess.run(
            [*inside, *words, *command], capture_output=True, text=True, check=False, env=dict(os.environ), timeout=100
        )


def _namespace() -> list[str]:
    """The command that gives a program mounts of its own, as this user may."""
    for command in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        if (
            shutil.which(command[0])
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    pytest.skip("a card is pretended in a namespace of its own, which this user may not make")
