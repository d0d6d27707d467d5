# K-11: io_uring, also where the interpreter made one before
# expect: ENOSYS []
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(425, 1, 0), [l for l in (os.readlink(f"/proc/self/fd/{f}") for f in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{f}")) if "uring" in l])
