import subprocess
import sys

done = subprocess.run(["sh", "-c", "cat; echo error >&2; exit 3"], input="in", capture_output=True, text=True)
assert (done.returncode, done.stdout, done.stderr) == (3, "in", "error\n")
assert subprocess.check_output([sys.executable, "-c", "print(6 * 7)"]) == b"42\n"
try:
    subprocess.run(["sleep", "60"], timeout=0.05)
    raise AssertionError("no timeout")
except subprocess.TimeoutExpired:
    pass
with subprocess.Popen(["tr", "a-z", "A-Z"], stdin=-1, stdout=-1, start_new_session=True) as child:
    assert child.communicate(b"abc")[0] == b"ABC"
assert subprocess.getoutput("printf '1 2' | awk '{ print $1 + $2 }'") == "3"

print("ok")
