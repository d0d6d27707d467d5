# K-27: System V and POSIX message queues, M-09, V-05
# expect: ENOSYS ENOSYS ENOSYS ENOSYS
# without: seccomp
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(29, 1, 4096, 0o1600), call(64, 1, 1, 0o1600), call(68, 1, 0o1600), call(240, 0, 0, 0, 0))
