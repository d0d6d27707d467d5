# P-17 (python): SIGTERM to oneself, which pid 1 would not feel
# outcome: signalled 15
# expect:
# without: init -> exited 0:*
import os

os.kill(os.getpid(), 15)
