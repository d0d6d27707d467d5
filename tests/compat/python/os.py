import os
import stat

assert os.getcwd() == "/workspace" and os.getuid() == os.geteuid() == 1000
os.makedirs("a/b")
with open("a/b/file", "w") as file:
    file.write("x")
os.symlink("b/file", "a/link")
os.link("a/b/file", "a/hard")
os.chmod("a/hard", 0o600)
assert stat.S_IMODE(os.stat("a/b/file").st_mode) == 0o600 and os.readlink("a/link") == "b/file"
assert [names for _, names, _ in os.walk("a")][0] == ["b"]
os.rename("a/hard", "moved")
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, b"child")
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7 and os.read(reading, 9) == b"child"
os.environ["ADDED"] = "1"
assert os.popen("echo $ADDED").read() == "1\n" and len(os.urandom(16)) == 16
assert os.cpu_count() >= 1 and len(os.sched_getaffinity(0)) >= 1

print("ok")
