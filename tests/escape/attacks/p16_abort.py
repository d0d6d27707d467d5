# P-16 (python): abort, which in pid 1 would come out as another signal
# outcome: signalled 6
# expect:
import os

os.abort()
