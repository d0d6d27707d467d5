# M-16: pinning memory
# expect: EPERM ENOMEM
import ctypes, errno, mmap
libc = ctypes.CDLL(None, use_errno=True)
def name(result):
    return "ok" if result == 0 else errno.errorcode[ctypes.get_errno()]
first = name(libc.mlockall(3))
area = mmap.mmap(-1, 1 << 20)
print(first, name(libc.mlock(ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(area))), ctypes.c_size_t(1 << 20))))
