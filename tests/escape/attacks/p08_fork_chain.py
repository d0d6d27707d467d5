# P-08 (python): escaping the CPU rate: while the run is put under it, every process is one that has just
# been forked, so that no list of process ids is ever right; then eight of them are busy
# outcome: timeout 9
# expect:
# limits: timeout_ms=2000 cpus=50
# shown: rate, by test_many.py, which looks at what it got of the CPU
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
