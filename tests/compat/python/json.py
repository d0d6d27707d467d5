import json

value = {"a": [1, 2.5, None, True], "é": "\u20ac\U0001f600"}
assert json.loads(json.dumps(value)) == value
assert json.loads(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)) == value
try:
    json.loads("{")
    raise AssertionError("took half an object")
except json.JSONDecodeError as error:
    assert error.pos == 1

print("ok")
