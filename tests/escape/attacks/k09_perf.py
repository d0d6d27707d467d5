# K-09 (python): perf_event_open on oneself
# expect: EPERM EPERM
# without: seccomp
import struct

from attack import call

attributes = struct.pack("=IIQ", 1, 112, 0).ljust(112, b"\0")
print(call("perf_event_open", attributes, 0, -1, -1, 0), call("perf_event_open", 0, 0, -1, -1, 0))
