# V-11: host paths in the mount table
# expect: 0
text = open("/proc/self/mountinfo").read()
print(sum(word in text for word in ("/var/lib", "/root/", "/home/", "docle-roots", "rootdir", "upperdir")))
