# M-06 (python): filling /tmp, /dev/shm and the workspace: one budget for all
# expect: ENOSPC 16
# hits: disk
# limits: disk_mb=16
# without: disk -> exited 0: written 24
# without: mounts -> exited 0: written 24
import errno

total = 0
try:
    for place in ("/tmp/fill", "/dev/shm/fill", "/workspace/fill"):
        with open(place, "wb", buffering=0) as file:
            for _ in range(128):
                total += file.write(bytes(1 << 16))
    print("written", total >> 20)
except OSError as error:
    print(errno.errorcode[error.errno], round(total / (1 << 20)))
