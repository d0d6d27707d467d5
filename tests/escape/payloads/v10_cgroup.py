# V-10: what the control groups say of the host
# expect: /
print(*sorted({line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}))
