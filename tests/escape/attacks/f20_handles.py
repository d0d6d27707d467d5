# F-20 (python): files by handle, which go past every mount
# expect: EPERM EPERM
# without: seccomp
from attack import call

print(call("name_to_handle_at", -100, b"/etc", bytes(256), bytes(8), 0),
      call("open_by_handle_at", -100, bytes(256), 0))
