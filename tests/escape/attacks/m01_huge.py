# M-01 (python): one huge object; half a gigabyte is huge here
# outcome: memory 9
# expect:
# hits: memory
# limits: memory_mb=64
# without: cgroup
print(len(bytearray(512 << 20)))
