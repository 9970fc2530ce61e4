"""MediaPipe's calls, made in the thread that asks for them.

Its Python hands each call into its library to a thread of its own and waits for it, so that a detector is never in two
calls at once. That is two changes of threads and back for every picture, each of which waits for the interpreter, too.
A lock does the same.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

Result = TypeVar("Result")


class _Done(Generic[Result]):
    """A call that has been made, as an executor gives it back."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def result(self) -> Result:
        """What it gave."""
        return self._result


class _InTurn:
    """Makes calls one after another, in whichever thread asks."""

    def __init__(self) -> None:
        self._lock = Lock()

    def submit(self, call: Callable[..., Result], *arguments: object, **named: object) -> _Done[Result]:
        """Make the call now."""
        with self._lock:
            return _Done(call(*arguments, **named))


def call_directly(task: object) -> bool:
    """Let a task of MediaPipe's make its calls in the threads that ask; False where this version has no thread for it.

    One at a time, as before: whoever asks for another waits.
    """
    executor = getattr(getattr(task, "_lib", None), "_executor", None)
    if not isinstance(executor, ThreadPoolExecutor):
        return False
    executor.shutdown()  # of the thread that has made the task; closing the task does it once more
    executor.submit = _InTurn().submit  # type: ignore[method-assign,assignment]
    return True
