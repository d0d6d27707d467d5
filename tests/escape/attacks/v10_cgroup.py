# V-10 (python): the place in the control groups
# expect: /
# without: cgroupns
print(*sorted({line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}))
