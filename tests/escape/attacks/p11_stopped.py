# P-11 (python): stopping oneself, to be woken after the deadline
# outcome: timeout 9
# expect:
# limits: timeout_ms=400
# without: deadline -> exited 0: free
import os
import signal
import time

main = os.getpid()
if os.fork() == 0:
    time.sleep(1.5)
    os.kill(main, signal.SIGCONT)
    os._exit(0)
os.kill(main, signal.SIGSTOP)
print("free")
