"""Microphones of this machine, through PortAudio; it is loaded when something asks for one, and never otherwise."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import cast

from streamaffect.errors import ConfigError, SourceOpenError
from streamaffect.faces.detectors.native_log import quiet_stderr

DEFAULT = ""


@dataclass(frozen=True, slots=True)
class Device:
    """An input device.

    number:  PortAudio's, until devices are looked for again
    channels, rate_hz: what it gives
    is_default: the one that the system's settings name
    """

    number: int
    name: str
    channels: int
    rate_hz: int
    is_default: bool


def load_portaudio() -> ModuleType:
    """The module `sounddevice`.

    Raises:
        SourceOpenError: it, or PortAudio, is not installed.
    """
    try:
        with quiet_stderr():  # ALSA explains at length that there is no sound card
            import sounddevice
    except ImportError as error:
        raise SourceOpenError("microphones need sounddevice; pip install sounddevice") from error
    except OSError as error:  # its wheels for Linux come without PortAudio
        raise SourceOpenError(f"microphones need PortAudio, which is not installed; {how_to_install()}") from error
    return cast(ModuleType, sounddevice)


def how_to_install() -> str:
    """The command that installs PortAudio, where there is one."""
    return "sudo apt install libportaudio2" if sys.platform == "linux" else "pip install --force-reinstall sounddevice"


def microphones(portaudio: ModuleType, *, anew: bool = False) -> Sequence[Device]:
    """All input devices of this machine.

    anew: look again for what was plugged in or pulled out; ends every open stream of the process
    """
    if anew:
        # PortAudio looks once; there is no public name for this.
        with quiet_stderr():
            portaudio._terminate()
            portaudio._initialize()
    default = portaudio.default.device[0]
    return [
        Device(
            number, found["name"], found["max_input_channels"], round(found["default_samplerate"]), number == default
        )
        for number, found in enumerate(portaudio.query_devices())
        if found["max_input_channels"] > 0
    ]


def chosen_device(devices: Sequence[Device], name: str) -> Device:
    """The device whose name is `name`, or has it in it; of an empty name the system's default.

    Raises:
        SourceOpenError: there is none, transient, since it may be plugged in.
        ConfigError: several have it in their names.
    """
    if not devices:
        raise SourceOpenError("no microphone: this machine has no input device; plug one in", transient=True)
    if not name:
        return next((device for device in devices if device.is_default), devices[0])
    exact = [device for device in devices if device.name == name]
    found = exact or [device for device in devices if name.casefold() in device.name.casefold()]
    listed = ", ".join(repr(device.name) for device in found or devices)
    if not found:
        raise SourceOpenError(f"no microphone {name!r}; there are {listed}", transient=True)
    if len(found) > 1 and not exact:
        raise ConfigError(f"several microphones are called {name!r}: {listed}; give more of the name")
    return found[0]
