# O-11 (python): reading standard input for ever: the end comes at once
# expect: 0 0
import sys

print(len(sys.stdin.read()), len(sys.stdin.read()))
