import configparser

config = configparser.ConfigParser()
config.read_string("[a]\nx = 1\ny = %(x)s2\n")
assert config["a"]["y"] == "12"
assert config.getint("a", "x") == 1

print("ok")
