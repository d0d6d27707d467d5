# M-22 (python): page tables: one byte read of every 2 MB of a large mapping, whose pages are all the zero page
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64
# without: cgroup -> exited 0: 30000
import mmap

area = mmap.mmap(-1, 1 << 36, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)
count = 0
for at in range(0, 30_000 << 21, 1 << 21):
    area[at]
    count += 1
print(count)
