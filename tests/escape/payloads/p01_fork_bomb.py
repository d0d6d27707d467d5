# P-01: a fork bomb
# expect: timeout 9
# outcome: yes
# timeout: 700
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
