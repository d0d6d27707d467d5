import importlib
import importlib.util
import pathlib
import pkgutil
import sys

pathlib.Path("made.py").write_text("value = 1\n")
made = importlib.import_module("made")
assert made.value == 1 and made.__file__ == "/workspace/made.py"
assert importlib.util.find_spec("no_such_module") is None
assert "made" in {module.name for module in pkgutil.iter_modules(["/workspace"])}
assert importlib.import_module("json") is sys.modules["json"]

print("ok")
