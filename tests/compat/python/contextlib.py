import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()) as caught:
    print("hidden")
assert caught.getvalue() == "hidden\n"
with contextlib.suppress(ZeroDivisionError):
    1 / 0
left = []
with contextlib.ExitStack() as stack:
    stack.callback(left.append, 1)
    stack.callback(left.append, 2)
assert left == [2, 1]

print("ok")
