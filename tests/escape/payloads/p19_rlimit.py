# P-19: raising a limit of one's own
# expect: ValueError
import resource
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (10**6, 10**6))
    print("ok")
except (ValueError, OSError) as error:
    print(type(error).__name__)
