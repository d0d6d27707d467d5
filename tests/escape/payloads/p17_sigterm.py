# P-17: SIGTERM to oneself, which pid 1 would not feel
# expect: signalled 15
# outcome: yes
import os
os.kill(os.getpid(), 15)
