# F-21 (python): fanotify on the shared root; for inotify see test_escape.py
# expect: EPERM EPERM
# without: seccomp
from attack import call

print(call("fanotify_init", 0, 0), call("fanotify_init", 0x200, 0))
