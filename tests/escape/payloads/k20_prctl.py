# K-20: prctl SET_MM, SET_PTRACER
# expect: EPERM EPERM
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(157, 35, 1, 0, 0, 0), call(157, 0x59616d61, 1, 0, 0, 0))
