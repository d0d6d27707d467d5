# P-14 (python): a daemon that would outlive the program; the host check looks for it
# shown: cgroup, by test_many.py
# expect: gone
import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    if os.fork() == 0:
        time.sleep(1e6)
    os._exit(0)
print("gone")
