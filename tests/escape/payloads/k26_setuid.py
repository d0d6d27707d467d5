# K-26: becoming root: setuid, setgroups, capset
# expect: EPERM EPERM EPERM
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(105, 0), call(116, 0, 0), call(126, 0, 0))
