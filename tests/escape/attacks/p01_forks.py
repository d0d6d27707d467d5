# P-01 (python): a fork bomb
# shown: cgroup, within bounds, by p23_zombies.py
# outcome: timeout 9
# expect: BlockingIOError
# hits: processes
# limits: timeout_ms=900 processes=32
import os

told = False
first = os.getpid()
while True:
    try:
        os.fork()
    except OSError as error:
        if os.getpid() == first and not told:
            told = True
            print(type(error).__name__, flush=True)
