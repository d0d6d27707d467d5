# P-10 (python): waiting with every signal blocked
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
import signal

signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
signal.pause()
