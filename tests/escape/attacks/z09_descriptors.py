# Z-09 (python): descriptors that came with the fork
# expect: 0 1 2
# without: fd-scrub
import os

found = []
for fd in range(1024):
    try:
        os.fstat(fd)
        found.append(fd)
    except OSError:
        pass
print(*found)
