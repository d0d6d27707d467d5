import os
import signal
import time

seen = []
signal.signal(signal.SIGUSR1, lambda number, frame: seen.append(number))
os.kill(os.getpid(), signal.SIGUSR1)
signal.signal(signal.SIGALRM, lambda *_: seen.append("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.01)
while len(seen) < 2:
    time.sleep(0.01)
assert seen == [signal.SIGUSR1, "alarm"]

print("ok")
