# M-07 (python): memory in a memfd, of which 256 MB would do
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64
# without: cgroup
import os

fd = os.memfd_create("m")
for _ in range(256):
    os.write(fd, bytes(1 << 20))
print("written")
