# K-25 (python): capabilities (inheritable, permitted, effective, bounding, ambient), NoNewPrivs, Seccomp
# expect: 0 0 0 0 0 1 2
# without: caps
lines = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
print(*[int(lines[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
      lines["NoNewPrivs"], lines["Seccomp"])
