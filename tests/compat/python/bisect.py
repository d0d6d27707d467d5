import bisect

values = [1, 3, 5]
bisect.insort(values, 4)
assert values == [1, 3, 4, 5]
assert bisect.bisect_left(values, 3) == 1

print("ok")
