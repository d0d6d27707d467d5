import hashlib
import hmac

assert hashlib.sha256(b"abc").hexdigest().startswith("ba7816bf")
assert hashlib.blake2b(b"abc", digest_size=8).hexdigest() == "d8bb14d833d59559"
assert hashlib.pbkdf2_hmac("sha1", b"password", b"salt", 1).hex() == "0c60c80f961f0e71f3a9b524af6012062fe037a6"
assert len(hashlib.scrypt(b"p", salt=b"s", n=1024, r=8, p=1)) == 64
assert {"md5", "sha1", "sha3_512"} <= hashlib.algorithms_available
assert hmac.compare_digest(hmac.new(b"k", b"m", "sha256").digest(), hmac.digest(b"k", b"m", "sha256"))

print("ok")
