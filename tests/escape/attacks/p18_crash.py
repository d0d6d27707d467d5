# P-18 (python): a wild pointer, in a child: which signal, core dump?, core files
# expect: 11 False [] (1, 1)
# without: rlimits
import ctypes
import os
import resource

child = os.fork()
if child == 0:
    ctypes.string_at(0)
status = os.waitpid(child, 0)[1]
print(os.WTERMSIG(status), os.WCOREDUMP(status), [one for one in os.listdir(".") if "core" in one],
      resource.getrlimit(resource.RLIMIT_CORE))
