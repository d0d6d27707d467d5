# K-17: priority-inheriting futexes
# expect: ENOSYS
# without: seccomp
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(202, ctypes.addressof(ctypes.c_int(0)), 6, 0, 0, 0, 0))
