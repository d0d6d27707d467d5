# M-16 (python): pinning memory: mlockall, MAP_LOCKED, mlock of a megabyte
# expect: EPERM EAGAIN ENOMEM
# without: seccomp
# without: rlimits
import ctypes
import mmap

from attack import attempt, call

area = mmap.mmap(-1, 1 << 20)
start = ctypes.byref(ctypes.c_char.from_buffer(area))
print(call("mlockall", 3),
      attempt(lambda: mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x2000)),
      call("mlock", start, 1 << 20))
