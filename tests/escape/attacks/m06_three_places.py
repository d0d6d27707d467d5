# M-06 (python): filling /tmp, /dev/shm and the workspace: one budget for all
# Without its mounts a run has no place for its files and does not begin, so no switch shows this.
# expect: ENOSPC 16
# hits: disk
# limits: disk_mb=16
import errno

total = 0
for place in ("/tmp/fill", "/dev/shm/fill", "/workspace/fill"):
    try:
        with open(place, "wb", buffering=0) as file:
            for _ in range(96 if not place.startswith("/w") else 1024):
                total += file.write(bytes(1 << 16))
    except OSError as error:
        print(errno.errorcode[error.errno], round(total / (1 << 20)))
