# P-14: a daemon that outlives the program
# expect: exited 0
# outcome: yes
import os, signal, time
if os.fork() == 0:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    if os.fork() == 0:
        time.sleep(1e6)
    os._exit(0)
