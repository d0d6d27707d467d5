# L-06 (python): leaving while children hold every private file system busy: working directory, open file, mapping
# Mounts go with the namespace when the last process has ended; the host check counts namespaces and mounts.
# expect: gone
import mmap
import os
import time

for place in ("/tmp", "/dev/shm", "/workspace", "/proc"):
    if os.fork() == 0:
        os.setsid()
        os.chdir(place)
        name = "/proc/self/status" if place == "/proc" else f"{place}/held"
        kept = open(name, "rb" if place == "/proc" else "w+b")
        if place != "/proc":
            kept.truncate(4096)
            area = mmap.mmap(kept.fileno(), 4096)
        time.sleep(1e6)
print("gone")
