"""A process that cannot use the network, whatever library tries: the kernel ends it at the first attempt."""

import ctypes
import platform
import socket
import struct
import sys

# Numbers of the system calls socket(2) and connect(2).
CALLS = {"x86_64": (41, 42), "aarch64": (198, 203)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000
LOAD_WORD, AND, JUMP_IF_EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06
CALL, FIRST_ARGUMENT, SECOND_ARGUMENT = 0, 16, 24  # where the kernel puts them
SOCKET_KIND = 0xF  # the rest of socket(2)'s second argument are flags


def can_forbid_network() -> bool:
    """Only Linux filters system calls, and their numbers differ by processor."""
    return sys.platform == "linux" and platform.machine() in CALLS


def forbid_network() -> None:
    """From here on this process dies of SIGSYS when native or Python code opens an IPv4 or IPv6 socket."""
    open_socket, _ = CALLS[platform.machine()]
    _install(
        _step(LOAD_WORD, CALL),
        _step(JUMP_IF_EQUAL, open_socket, 0, 4),
        _step(LOAD_WORD, FIRST_ARGUMENT),
        _step(JUMP_IF_EQUAL, socket.AF_INET, 1, 0),
        _step(JUMP_IF_EQUAL, socket.AF_INET6, 0, 1),
        _step(RETURN, KILL_PROCESS),
        _step(RETURN, ALLOW),
    )


def forbid_connecting() -> None:
    """From here on this process may wait for others to connect, and dies of SIGSYS when it connects or opens UDP.

    A name is looked up over UDP or by connecting, so that ends it as well.
    """
    open_socket, connect = CALLS[platform.machine()]
    _install(
        _step(LOAD_WORD, CALL),
        _step(JUMP_IF_EQUAL, connect, 7, 0),
        _step(JUMP_IF_EQUAL, open_socket, 0, 7),
        _step(LOAD_WORD, FIRST_ARGUMENT),
        _step(JUMP_IF_EQUAL, socket.AF_INET, 1, 0),
        _step(JUMP_IF_EQUAL, socket.AF_INET6, 0, 4),
        _step(LOAD_WORD, SECOND_ARGUMENT),
        _step(AND, SOCKET_KIND),
        _step(JUMP_IF_EQUAL, socket.SOCK_STREAM, 1, 0),
        _step(RETURN, KILL_PROCESS),
        _step(RETURN, ALLOW),
    )


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _install(*steps: bytes) -> None:
    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = Filter(len(steps), b"".join(steps))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter")
