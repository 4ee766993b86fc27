"""What is asked of whom, and when: nothing at all where the files are there."""

import subprocess
import sys

import pytest

from magicpose_cli.core.errors import AccessError, DiskFullError, OfflineError, UsageError
from magicpose_cli.weights.download import download, plan_download
from magicpose_cli.weights.registry import load_registry

# What ``hf download`` does: it is the Hub's own client that finds the local hub to speak its protocol.
_HUBS_OWN_CLIENT = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download(sys.argv[1], sys.argv[2], revision=sys.argv[3]))
"""


def test_files_that_are_there_need_no_network(clients, hub):
    names = ("good", "direct")
    first = clients.run(*names)
    assert all(first.results[name]["sockets"] for name in names), "the guard sees sockets"
    seen = len(hub.asked)
    clients.path("good").with_name("weights.bin.verified").unlink()  # so that it is hashed again
    again = clients.run(*names)
    assert all(again.results[name]["paths"] == first.results[name]["paths"] for name in names)
    assert not any(again.results[name]["sockets"] or again.results[name]["asked"] for name in names)
    assert len(hub.asked) == seen


def test_a_damaged_file_on_disk_is_fetched_anew_and_stays_until_then(clients, content):
    for name in ("good", "always-cut"):
        clients.path(name).parent.mkdir(parents=True)
        clients.path(name).write_bytes(content[:-1] + b"?")
    found = clients.run("good", "always-cut").results
    assert found["good"]["asked"], "it was taken for good"
    assert clients.path("good").read_bytes() == content
    assert "error" in found["always-cut"] and clients.path("always-cut").read_bytes() == content[:-1] + b"?"


def test_what_the_hubs_own_tools_left_is_used_token_and_files(clients, hub, server, content, entry):
    environment = clients.environment((), HF_HUB_DISABLE_XET="1")
    for repo, file in (("good", "folder/weights.bin"), ("direct", "folder/weights.bin")):
        words = [f"someone/{repo}", file, server.REVISION]
        done = subprocess.run(
            [sys.executable, "-c", _HUBS_OWN_CLIENT, *words], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    (clients.folder / "hf" / "token").write_text("hf_secret\n")
    seen = len(hub.asked)

    entries = [entry("good"), entry("direct"), entry("newer", repo="someone/good", revision="f" * 40)]
    entries.append(entry("other", repo="someone/direct", sha256="0" * 64))
    told = clients.run("good", "direct", "newer", entries=entries, HF_HUB_OFFLINE="1")
    for name in ("good", "direct", "newer"):  # at its commit; a small file; at any commit, by its sha256
        assert "error" not in told.results[name] and not told.results[name]["sockets"]
        assert clients.path(name).read_bytes() == content
    assert len(hub.asked) == seen
    assert clients.path("good").stat().st_nlink > 1, "linked, not copied"
    told = clients.run("other", entries=entries, HF_HUB_OFFLINE="1")
    assert told.results["other"]["error"] == "OfflineError" and not clients.path("other").exists()
    assert "wrong sha256; it is left alone" in told.notes["other"][0]

    clients.run("cut")
    assert {each.token for each in hub.of("hub", "cut")} == {"Bearer hf_secret"}


def test_offline_and_not_there(entry, write_toml, tmp_path):
    # the tests run with HF_HUB_OFFLINE=1
    registry = load_registry(write_toml(tmp_path / "weights.toml", [entry("good")]))
    with pytest.raises(OfflineError, match="good is not on this machine"):
        download(["good"], tmp_path / "root", accept=lambda plan: True, registry=registry)


def test_the_plan_says_sizes_and_licences_and_can_be_declined(
    entry, write_toml, clients, tmp_path, content, monkeypatch
):
    entries = [entry("good", used_for=["animate"], converted_about=10), entry("direct", licence="another")]
    clients.run("good", entries=entries)
    registry = load_registry(tmp_path / "weights.toml")
    root = tmp_path / "home" / "weights"
    plan = plan_download(["animate", "direct"], root, registry=registry)
    assert [w.name for w in plan.present] == ["good"] and [w.name for w in plan.missing] == ["direct"]
    assert plan.licences == {"another": ("direct",)} and plan.download_bytes == len(content)
    assert plan.unasked == plan.missing
    assert plan_download((), tmp_path / "no" / "such" / "folder", registry=registry).converted_bytes == 10

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(AccessError, match="not accepted"):
        download(["direct"], root, accept=lambda plan: False, registry=registry)
    assert plan_download(["direct"], root, registry=registry).unasked, "a no is no yes"
    with pytest.raises(UsageError, match="goood") as error:
        plan_download(["goood"], root, registry=registry)
    assert "did you mean good" in error.value.hint


def test_a_licence_is_asked_for_once_and_again_when_its_words_change(entry, write_toml, clients, tmp_path):
    clients.run("always-cut")  # accepted, and broken off
    for licence, unasked in (("for tests", ()), ("for tests, and more", ("always-cut",))):
        registry = load_registry(write_toml(tmp_path / "other.toml", [entry("always-cut", licence=licence)]))
        plan = plan_download(["always-cut"], clients.weights, registry=registry)
        assert tuple(weight.name for weight in plan.unasked) == unasked
    for damage in ("", "not json", "[]"):
        (clients.weights / "accepted-licences.json").write_text(damage)
        registry = load_registry(write_toml(tmp_path / "other.toml", [entry("always-cut")]))
        assert plan_download(["always-cut"], clients.weights, registry=registry).unasked


def test_a_disk_too_small_is_said_before(entry, write_toml, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    huge = entry("good", size=1 << 49, converted_about=1 << 48)
    registry = load_registry(write_toml(tmp_path / "weights.toml", [huge]))
    with pytest.raises(DiskFullError, match=r"needs 562950\.0 GB, its conversion 281475\.0 GB"):
        download(["good"], tmp_path, accept=lambda plan: pytest.fail("asked in vain"), registry=registry)
