# P-12: killing everything in sight
# expect: exited 0
# outcome: yes
import os
try:
    os.kill(-1, 15)
except OSError:
    pass
