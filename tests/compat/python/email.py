import email
import email.message

message = email.message.EmailMessage()
message["Subject"], message["To"] = "Grüße", "a@example.org"
message.set_content("text")
message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="f.bin")
parsed = email.message_from_bytes(bytes(message), policy=email.policy.default)
assert parsed["Subject"] == "Grüße" and parsed.is_multipart()
assert [part.get_filename() for part in parsed.iter_attachments()] == ["f.bin"]

print("ok")
