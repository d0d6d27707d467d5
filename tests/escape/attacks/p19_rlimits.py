# P-19 (python): raising one's own limits
# expect: (1024, 1024) ValueError ValueError ValueError
# without: rlimits
import resource

from attack import attempt

print(resource.getrlimit(resource.RLIMIT_NOFILE),
      *[attempt(resource.setrlimit, kind, (10**6, 10**6))
        for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_RTPRIO)])
