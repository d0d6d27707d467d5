import dbm
import pickle
import shelve


class Thing:
    def __init__(self, value):
        self.value = value


for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    assert pickle.loads(pickle.dumps(Thing([1]), protocol)).value == [1]
with shelve.open("shelf") as shelf:
    shelf["a"] = {"b": 1}
with shelve.open("shelf") as shelf:
    assert shelf["a"] == {"b": 1}
assert dbm.whichdb("shelf")

print("ok")
