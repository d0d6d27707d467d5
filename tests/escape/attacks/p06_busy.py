# P-06 (python): a loop for much longer than allowed
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
# without: deadline -> exited 0: free
import time

end = time.monotonic() + 1.5
while time.monotonic() < end:
    pass
print("free")
