# P-16: abort
# expect: signalled 6
# outcome: yes
import os
os.abort()
