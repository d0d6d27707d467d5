import ast

tree = ast.parse("x = 1 + 2")
assert isinstance(tree.body[0], ast.Assign)
assert ast.literal_eval("{'a': [1, 2]}") == {"a": [1, 2]}
assert eval(compile(ast.Expression(tree.body[0].value), "x", "eval")) == 3

print("ok")
