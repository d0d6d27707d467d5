# F-16 (python): mount, umount, pivot_root, open_tree, fsopen; a mount in namespaces of one's own
# Two layers: without seccomp alone Landlock still forbids the last; without both it is done.
# expect: EPERM EPERM EPERM ENOSYS ENOSYS EPERM EPERM
# without: seccomp -> exited 0: * ok EPERM
# without: seccomp + landlock -> exited 0: * ok ok
from attack import call

print(call("mount", b"none", b"/tmp", b"tmpfs", 0, 0), call("umount2", b"/proc", 2),
      call("pivot_root", b"/tmp", b"/tmp"), call("open_tree", -100, b"/tmp", 1), call("fsopen", b"tmpfs", 0),
      call("unshare", 0x10020000), call("mount", b"none", b"/tmp", b"tmpfs", 0, 0))
