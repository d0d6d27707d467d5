# P-11: stopping oneself
# expect: timeout 9
# outcome: yes
# timeout: 400
import os
os.kill(os.getpid(), 19)
