# M-11 (python): 64 TB of addresses, untouched: costs nobody anything
# Addresses are no limit of ours; pages are. So there is nothing to switch off.
# expect: ok
import mmap

from attack import attempt

print(attempt(lambda: mmap.mmap(-1, 1 << 46, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)))
