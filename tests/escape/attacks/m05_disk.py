# M-05 (python): filling the workspace: megabytes until the error, which the run survives
# expect: ENOSPC 16
# hits: disk
# limits: disk_mb=16
# without: disk -> exited 0: written 64
import errno

total = 0
try:
    with open("fill", "wb", buffering=0) as file:
        while total < 64 << 20:
            total += file.write(bytes(1 << 16))
    print("written", total >> 20)
except OSError as error:
    print(errno.errorcode[error.errno], round(total / (1 << 20)))
