# F-09 (python): files without end, of which 20,000 would do
# expect: ENOSPC 2042
# hits: disk
# limits: disk_mb=4
# without: disk -> exited 0: 20000
import errno

count = 0
try:
    while count < 20_000:
        open(f"{count}", "x").close()
        count += 1
    print(count, flush=True)
except OSError as error:
    print(errno.errorcode[error.errno], count)
