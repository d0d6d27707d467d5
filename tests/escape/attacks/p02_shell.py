# P-02 (python): the fork bomb of shells
# shown: cgroup, within bounds, by p23_zombies.py
# outcome: timeout 9
# expect:
# hits: processes
# limits: timeout_ms=900 processes=32
import os

os.execv("/bin/sh", ["sh", "-c", "b() { b | b & }; b 2>/dev/null; while :; do :; done"])
