import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=1)
parser.add_argument("names", nargs="*")
parsed = parser.parse_args(["--count", "3", "a", "b"])
assert (parsed.count, parsed.names) == (3, ["a", "b"])
try:
    parser.parse_args(["--count", "x"])
    raise AssertionError("a bad number was taken")
except SystemExit as end:
    assert end.code == 2

print("ok")
