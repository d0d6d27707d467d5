import csv

with open("table.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, ["name", "note"])
    writer.writeheader()
    writer.writerow({"name": "a,b", "note": 'say "hi"\nagain'})
with open("table.csv", newline="") as file:
    assert list(csv.DictReader(file)) == [{"name": "a,b", "note": 'say "hi"\nagain'}]

print("ok")
