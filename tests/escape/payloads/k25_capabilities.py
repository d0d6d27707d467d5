# K-25: capabilities and the state of the seals
# expect: 0 0 0 0 0 NoNewPrivs 1 Seccomp 2
# without: caps
lines = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print(*[int(lines[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
      "NoNewPrivs", lines["NoNewPrivs"], "Seccomp", lines["Seccomp"])
