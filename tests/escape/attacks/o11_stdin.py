# O-11 (python): reading standard input for ever: the end comes at once
# What must end; test_many.py does the same with a pipe. There is nothing to switch off.
# expect: 0 0
import sys

print(len(sys.stdin.read()), len(sys.stdin.read()))
