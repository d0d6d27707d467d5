import inspect


def function(a, *, b=2):
    return a + b


assert str(inspect.signature(function)) == "(a, *, b=2)"
assert inspect.getsource(function).startswith("def function")
assert inspect.currentframe().f_code.co_name == "<module>"

print("ok")
