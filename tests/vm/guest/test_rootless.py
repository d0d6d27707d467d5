"""An ordinary user, besides test_product.py."""

from product import call, doctor


def test_without_delegation(mode, root_dir):
    """A user whose group is nobody's gift: said, with the way out, and refused below the floor."""
    report = doctor(mode, mode.command, check=False)
    found = {check["name"]: check for check in report["checks"]}
    assert (report["level"], report["ok"]) == ("limited", False)
    assert "systemd-run --user --scope -p Delegate=yes" in found["cgroup memory"]["remedy"]
    refused = call(*mode.command("docle", "serve", "--listen", "127.0.0.1:0"), check=False)
    assert refused.returncode == 1 and "Delegate=yes" in refused.stderr, refused.stderr
