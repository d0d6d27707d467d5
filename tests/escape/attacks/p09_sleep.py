# P-09 (python): sleeping for longer than allowed
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
# without: deadline -> exited 0: free
import time

time.sleep(1.5)
print("free")
