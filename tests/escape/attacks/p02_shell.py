# P-02 (python): the fork bomb of shells; P-23 shows, within bounds, what it would do without its control group
# outcome: timeout 9
# expect:
# hits: processes
# limits: timeout_ms=900 processes=32
import os

os.execv("/bin/sh", ["sh", "-c", "b() { b | b & }; b 2>/dev/null; while :; do :; done"])
