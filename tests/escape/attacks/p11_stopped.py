# P-11 (python): stopping oneself
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
