import copy

deep = {"a": [1, [2]]}
clone = copy.deepcopy(deep)
clone["a"][1].append(3)
assert deep == {"a": [1, [2]]}
assert copy.copy(deep)["a"] is deep["a"]

print("ok")
