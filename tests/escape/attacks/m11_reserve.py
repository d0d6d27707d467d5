# M-11 (python): 64 TB of addresses, untouched: costs nobody anything
# expect: ok
import mmap

from attack import attempt

print(attempt(lambda: mmap.mmap(-1, 1 << 46, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)))
