"""Loading PyAV, which takes a tenth of a second and therefore waits until a video is opened.

Its modules import each other in circles: two threads that load it at once, as sources that open side by side would,
each find half of it.
"""

import importlib
import threading

_LOADING = threading.Lock()


def load_pyav() -> None:
    """Have PyAV ready, from any thread. Raises ImportError where it is not installed."""
    with _LOADING:
        importlib.import_module("av")
