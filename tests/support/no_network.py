"""A process that cannot open a network socket, whatever library tries: the kernel ends it at the first attempt."""

import ctypes
import platform
import socket
import struct
import sys

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}  # number of the system call socket(2)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


def can_forbid_network() -> bool:
    """Only Linux filters system calls, and their numbers differ by processor."""
    return sys.platform == "linux" and platform.machine() in SOCKET_CALL


def forbid_network() -> None:
    """From here on this process dies of SIGSYS when native or Python code opens an IPv4 or IPv6 socket."""

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    program = b"".join(
        (
            step(LOAD_WORD, 0),  # the system call's number
            step(JUMP_IF_EQUAL, SOCKET_CALL[platform.machine()], 0, 4),
            step(LOAD_WORD, 16),  # its first argument, the address family
            step(JUMP_IF_EQUAL, socket.AF_INET, 1, 0),
            step(JUMP_IF_EQUAL, socket.AF_INET6, 0, 1),
            step(RETURN, KILL_PROCESS),
            step(RETURN, ALLOW),
        )
    )

    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Filter(len(program) // 8, program)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses the filter")
