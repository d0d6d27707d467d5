import array

numbers = array.array("d", [1.5, 2.5])
numbers.append(3.0)
assert numbers.tobytes() == array.array("d", [1.5, 2.5, 3.0]).tobytes()
assert sum(numbers) == 7.0

print("ok")
