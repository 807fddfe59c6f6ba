# SPDX-License-Identifier: Apache-2.0
"""Has the kernel refuse a system call to a child, as an older one or a container's seccomp filter would."""

import ctypes
import errno
import platform
import struct

NUMBERS = {
    "x86_64": {"pwritev2": 328, "pidfd_open": 434, "getsockopt": 55, "futex_waitv": 449, "membarrier": 324, "madvise": 28,
               "fcntl": 72, "memfd_create": 319, "fallocate": 285, "socket": 41, "io_uring_setup": 425, "pipe2": 293,
               "unshare": 272, "close_range": 436},
    "aarch64": {"pwritev2": 287, "pidfd_open": 434, "getsockopt": 209, "futex_waitv": 449, "membarrier": 283,
                "madvise": 233, "fcntl": 25, "memfd_create": 279, "fallocate": 47, "socket": 198, "io_uring_setup": 425,
                "pipe2": 59, "unshare": 97, "close_range": 436},
}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
# linux/bpf_common.h, linux/seccomp.h
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7fff0000, 0x00050000


class Program(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def is_possible():
    return platform.machine() in NUMBERS


def instruction(code, value, yes=0, no=0):
    return struct.pack("=HBBI", code, yes, no, value)


def deny(call, code, argument=None, value=None):
    """For preexec_fn: from then on @call fails with @code, if given only where its argument has that value."""
    number = NUMBERS[platform.machine()][call]
    steps = [instruction(LOAD, 0)]
    if argument is None:
        steps += [instruction(EQUAL, number, 0, 1)]
    else:
        steps += [instruction(EQUAL, number, 0, 3), instruction(LOAD, 16 + 8 * argument), instruction(EQUAL, value, 0, 1)]
    steps += [instruction(RETURN, ERRNO | getattr(errno, code)), instruction(RETURN, ALLOW)]
    text = b"".join(steps)
    libc = ctypes.CDLL(None, use_errno=True)

    def begin():
        program = Program(len(steps), text)
        if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 or
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) < 0):
            raise OSError(ctypes.get_errno(), "no filter of system calls can be set")
    return begin
