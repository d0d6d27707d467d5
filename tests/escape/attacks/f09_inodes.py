# F-09 (python): 100,000 files
# Without its mounts a run has no place for its files and does not begin, so no switch shows this.
# expect: ENOSPC 2042
# hits: disk
# limits: disk_mb=4
import errno

count = 0
try:
    while count < 100_000:
        open(f"{count}", "x").close()
        count += 1
    print(count)
except OSError as error:
    print(errno.errorcode[error.errno], count)
