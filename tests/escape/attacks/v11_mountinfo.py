# V-11 (python): host paths in the mount table
# expect: 0
# without: overlay
with open("/proc/self/mountinfo") as table:
    text = table.read()
print(sum(word in text for word in ("/var/lib", "/root/", "/home/", "docle-", "/rootfs", "upperdir")))
