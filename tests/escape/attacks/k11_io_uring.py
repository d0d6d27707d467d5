# K-11 (python): io_uring: none to be made, none inherited
# Two layers of the same kind: the zygote has a filter of its own that takes io_uring away before any
# run is forked.
# expect: ENOSYS ENOSYS ENOSYS 0
# without: seccomp + zygote-filter -> exited 0: ok ok EFAULT 0
import os

from attack import call

links = []
for fd in os.listdir("/proc/self/fd"):
    try:
        links.append(os.readlink(f"/proc/self/fd/{fd}"))
    except FileNotFoundError:
        pass
print(call("io_uring_setup", 1, bytes(120)), call("io_uring_enter", 3, 0, 0, 0, 0, 0),
      call("io_uring_register", 3, 0, 0, 0), sum("uring" in link for link in links))
