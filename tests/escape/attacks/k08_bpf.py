# K-08 (python): bpf: a map, and a command that does not exist
# Kernels may refuse the map to the unprivileged as well; the second shows who answers.
# expect: EPERM EPERM
# without: seccomp
import struct

from attack import call

attributes = struct.pack("=5I", 2, 4, 4, 1, 0).ljust(128, b"\0")
print(call("bpf", 0, attributes, 128), call("bpf", 9999, attributes, 128))
