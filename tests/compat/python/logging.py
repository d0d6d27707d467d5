import logging
import logging.handlers

log = logging.getLogger("compat")
log.addHandler(logging.FileHandler("log.txt"))
log.addHandler(logging.handlers.RotatingFileHandler("rotating.txt", maxBytes=100, backupCount=2))
log.setLevel(logging.INFO)
for number in range(20):
    log.info("line %d", number)
log.debug("unseen")
assert open("log.txt").read().splitlines() == [f"line {n}" for n in range(20)]
assert open("rotating.txt.1").read()

print("ok")
