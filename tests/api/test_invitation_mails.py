"""Invitations are mails to people who never asked for any: they are bounded, and can be taken back."""

from accounts import Browser
from harness import wait_for
from test_mail_settings import free_port

OPEN = ("--auth-signup", "open", "--auth-links-per-client", "0", "--auth-links-per-address", "0")


def invite(person, project, email):
    return person.post(f"/api/projects/{project}/invitations", {"email": email, "role": "viewer"})


def withdraw(person, project, answer):
    assert person.request("DELETE", f"/api/projects/{project}/invitations/{answer.json()['id']}").status_code == 200


def test_nobody_is_mailed_again_and_again(own_server, contract):
    server = own_server(*OPEN, "--auth-invitations-per-address", "2", "--auth-invitations-per-project", "4")
    one, two = Browser(server, contract), Browser(server, contract)
    first = one.sign_in("one@example.com")["project"]["id"]
    second = two.sign_in("two@example.com")["project"]["id"]
    for _ in range(2):
        withdraw(one, first, invite(one, first, "stranger@example.com"))
    for person, project in ((one, first), (two, second)):
        refused = invite(person, project, "Stranger@Example.com")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_invitations")
        assert 0 < int(refused.headers["Retry-After"]) == refused.json()["retry_after"] <= 86401
    server.stop(9)
    server.start()  # forgives nothing
    for person in (one, two):
        person.headers["Origin"] = server.url()
    assert invite(one, first, "stranger@example.com").status_code == 429
    assert invite(two, second, "other@example.com").status_code == 200
    assert [invite(one, first, f"{i}@example.com").status_code for i in range(3)] == [200, 200, 429]
    assert server.query("SELECT COUNT(*) FROM invitations") == [(3,)]
    assert server.log_text().count("Mail to stranger@example.com") <= 2


def test_what_is_withdrawn_does_not_leave(own_server, contract):
    server = own_server(*OPEN, "--mail-from", "a@b.example", "--smtp-url", f"smtp://127.0.0.1:{free_port()}",
                        "--smtp-plain", "yes", "--app-url", "http://localhost:1")
    person = Browser(server, contract)
    link = server.docle("login-link", "one@example.com").stdout.split("token=")[1].split()[0]
    assert person.confirm(link).status_code == 303
    project = person.me()["project"]["id"]
    answer = invite(person, project, "stranger@example.com")
    wait_for(lambda: "it is tried again" in server.log_text(), "the mail could not leave")
    assert server.query("SELECT recipient FROM outbox") == [("stranger@example.com",)]
    withdraw(person, project, answer)
    assert server.query("SELECT COUNT(*) FROM outbox") == [(0,)]
    assert server.query("SELECT COUNT(*) FROM invitation_mails") == [(1,)]


def test_a_deleted_person_is_forgotten(own_server, contract):
    server = own_server(*OPEN)
    one, two = Browser(server, contract), Browser(server, contract)
    project = one.sign_in("one@example.com")["project"]["id"]
    two.sign_in("gone@example.com")
    assert invite(one, project, "gone@example.com").status_code == 200
    server.docle("users", "delete", "gone@example.com")
    assert server.query("SELECT COUNT(*) FROM invitation_mails") == [(0,)]
