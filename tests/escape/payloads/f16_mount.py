# F-16: mount, umount, pivot_root, open_tree, fsopen
# expect: EPERM EPERM EPERM ENOSYS ENOSYS
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(argument) for argument in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]


print(call(165, 0, 0, 0, 0, 0), call(166, 0, 0), call(155, 0, 0), call(428, 0, 0, 0), call(430, 0, 0))
