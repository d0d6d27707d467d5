# K-26 (python): becoming somebody else: setuid, setgroups, setresuid, capset
# expect: EPERM EPERM EPERM EPERM EPERM
# without: seccomp
import struct

from attack import call

header, everything = struct.pack("=II", 0x20080522, 0), b"\xff" * 24
print(call("setuid", 0), call("setgroups", 0, 0), call("setresuid", 0, 0, 0),
      call("capset", header, everything), call("capset", header, bytes(24)))
