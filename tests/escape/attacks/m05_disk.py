# M-05 (python): filling the workspace: megabytes until the error, which the run survives
# Without its mounts a run has no place for its files and does not begin, so no switch shows this.
# expect: ENOSPC 16
# hits: disk
# limits: disk_mb=16
import errno

total = 0
try:
    with open("fill", "wb", buffering=0) as file:
        while total < 64 << 20:
            total += file.write(bytes(1 << 16))
except OSError as error:
    print(errno.errorcode[error.errno], round(total / (1 << 20)))
