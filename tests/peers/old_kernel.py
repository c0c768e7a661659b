"""Runs a program as Linux 3.10 would, which some NAS have: what came later is refused.

usage: old_kernel.py PROGRAM [ARGUMENT ...]; x86_64 only"""

import ctypes
import errno
import os
import struct
import sys

# linux/prctl.h, linux/seccomp.h, linux/filter.h.
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER = 22, 38, 2
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
# The first call that 3.10 lacks (sched_setattr; getrandom, statx and clone3 come behind it), and
# an option of TCP that came with 3.12 (TCP_NOTSENT_LOWAT).
FIRST_NEW_CALL, SETSOCKOPT, TCP, NOTSENT_LOWAT = 314, 54, 6, 25
CALL, LEVEL, OPTION = 0, 24, 32

STEPS = [
    (LOAD, 0, 0, CALL),
    (AT_LEAST, 0, 1, FIRST_NEW_CALL),
    (RETURN, 0, 0, FAIL | errno.ENOSYS),
    (EQUAL, 0, 5, SETSOCKOPT),
    (LOAD, 0, 0, LEVEL),
    (EQUAL, 0, 3, TCP),
    (LOAD, 0, 0, OPTION),
    (EQUAL, 0, 1, NOTSENT_LOWAT),
    (RETURN, 0, 0, FAIL | errno.ENOPROTOOPT),
    (RETURN, 0, 0, ALLOW),
]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in STEPS))
program = Program(len(STEPS), ctypes.cast(steps, ctypes.c_void_p))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
