# P-09: sleeping for ever
# expect: timeout 9
# outcome: yes
# timeout: 400
import time
time.sleep(1e6)
