# M-14 (python): 500 pipes, as large as they get, all of them full
# The kernel gives one user no more than 16384 pages in large pipes; the memory limit would stop the rest.
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64 disk_mb=1
# without: cgroup -> exited 0: 500
import fcntl
import os

pipes = [os.pipe() for _ in range(500)]
for _, end in pipes:
    os.set_blocking(end, False)
    try:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 1 << 20)
    except OSError:
        pass
    try:
        while True:
            os.write(end, bytes(1 << 16))
    except BlockingIOError:
        pass
print(len(pipes))
