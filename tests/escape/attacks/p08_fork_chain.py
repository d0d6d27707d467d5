# P-08 (python): escaping the CPU rate: while the run is put under it, every process is one that has just
# been forked, so that no list of process ids is ever right; then eight of them are busy
# outcome: timeout 9
# expect:
# limits: timeout_ms=2000 cpus=50
# What it got of the CPU is looked at in test_many.py, with and without the cap.
import os
import time

first = os.getpid()
end = time.monotonic() + 0.6
while time.monotonic() < end:
    if os.fork():
        if os.getpid() != first:
            os._exit(0)
        while True:
            pass
for _ in range(3):
    os.fork()
while True:
    pass
