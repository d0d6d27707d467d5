# M-05, M-06: filling the disk, by way of /workspace and /dev/shm
# expect: ENOSPC 64
# without: mounts
import errno, os
total = 0
try:
    for name in ("/workspace/f", "/dev/shm/f"):
        with open(name, "wb", buffering=0) as file:
            while name.startswith("/dev") or total < 32 << 20:
                total += file.write(bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno], total + (1 << 20) - 1 >> 20)
