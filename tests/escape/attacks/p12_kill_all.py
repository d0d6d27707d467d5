# P-12 (python): killing all that can be seen: a child of ours, and nobody else
# Without these, "all" is the service's zygotes and inits; the host's processes are in neither case.
# expect: -9
# without: pidns + userns + caps + landlock -> sandbox_error -1:*
import os
import time

child = os.fork()
if child == 0:
    time.sleep(60)
os.kill(-1, 9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
