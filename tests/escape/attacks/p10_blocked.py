# P-10 (python): waiting with every signal blocked
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
# without: deadline -> exited 0: free None
import signal

signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
print("free", signal.sigtimedwait(range(1, 65), 1.5))
