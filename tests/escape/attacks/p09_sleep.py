# P-09 (python): sleeping for ever
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
import time

time.sleep(1e6)
