# V-10 (python): the place in the control groups
# Every run enters a control-group namespace; no switch turns that off.
# expect: /
print(*sorted({line.rstrip("\n").split(":", 2)[2] for line in open("/proc/self/cgroup")}))
