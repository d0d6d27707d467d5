# K-28: splice, tee, vmsplice
# expect: ENOSYS ENOSYS ENOSYS
# without: seccomp
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(275, 0, 0, 1, 0, 1, 0), call(276, 0, 1, 1, 0), call(278, 1, 0, 0, 0))
