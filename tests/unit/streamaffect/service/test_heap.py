"""Threads share few pools of memory, as glibc counts them, and pictures stay there, as the system counts pages."""

import os
import platform
import subprocess
import sys

import pytest

from streamaffect.service.heap import OWN_WISHES

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")

COUNT = """
import ctypes, threading
from streamaffect.service.heap import share_heap

if {shared}:
    share_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
ready = threading.Barrier(9)


def work():
    libc.malloc(5000)
    ready.wait()
    ready.wait()


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
ready.wait()
"""


def arenas(*, shared: bool) -> int:
    command = [sys.executable, "-c", COUNT.format(shared=shared)]
    environment = {name: value for name, value in os.environ.items() if name not in OWN_WISHES}
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment)
    return done.stdout.count("<heap nr=")


def test_threads_share_few_pools() -> None:
    assert arenas(shared=False) > 2
    assert arenas(shared=True) <= 2


PICTURES = """
import ctypes, resource
from streamaffect.service.heap import share_heap

if {shared}:
    share_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p


def show(pictures):
    for _ in range(pictures):
        held = [ctypes.c_void_p(libc.malloc(1 << 20)) for _ in range(3)]
        for one in held:
            libc.memset(one, 1, 1 << 20)
        for one in held:
            libc.free(one)


show(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
show(100)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fetched_pages(*, shared: bool) -> int:
    """How many pages of memory a hundred pictures cost that are made and thrown away."""
    command = [sys.executable, "-c", PICTURES.format(shared=shared)]
    environment = {name: value for name, value in os.environ.items() if name not in OWN_WISHES}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout)


def test_the_memory_of_a_picture_is_that_of_the_one_before() -> None:
    assert fetched_pages(shared=False) > 1000
    assert fetched_pages(shared=True) < 300


PIECES = """
import ctypes, time
from streamaffect.service.heap import share_heap, tidied_heap

share_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p


def resident_mb():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 2**20


pieces = [ctypes.c_void_p(libc.malloc(50_000)) for _ in range(1000)]
for piece in pieces:
    libc.memset(piece, 1, 50_000)
for piece in pieces[1::2] + pieces[0:990:2]:  # the last ones stay, so that the end of the heap is in use
    libc.free(piece)
full = resident_mb()
with tidied_heap({every_s}):
    deadline = time.monotonic() + {patience_s}
    while resident_mb() > full - 30 and time.monotonic() < deadline:
        time.sleep(0.02)
print(full - resident_mb())
"""


def given_back_mb(*, every_s: float, patience_s: float, **wishes: str) -> float:
    """How many of some 45 MB, free between pieces that are in use, the system has again."""
    command = [sys.executable, "-c", PIECES.format(every_s=every_s, patience_s=patience_s)]
    environment = {name: value for name, value in os.environ.items() if name not in OWN_WISHES} | wishes
    return float(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout
    )


def test_what_lies_free_between_is_given_back() -> None:
    assert given_back_mb(every_s=1000.0, patience_s=0.5) < 5
    assert given_back_mb(every_s=0.05, patience_s=20.0) > 30


def test_whoever_set_the_heap_has_it_as_it_was_set() -> None:
    assert given_back_mb(every_s=0.05, patience_s=0.5, MALLOC_TRIM_THRESHOLD_="100000000") < 5
