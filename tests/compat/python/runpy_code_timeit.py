import code
import pathlib
import runpy
import timeit

pathlib.Path("script.py").write_text("if __name__ == '__main__':\n    answer = 42\n")
assert runpy.run_path("script.py", run_name="__main__")["answer"] == 42
console = code.InteractiveConsole({"x": 1})
assert console.push("y = x + 1") is False and console.locals["y"] == 2
assert timeit.timeit("1 + 1", number=100) > 0

print("ok")
