"""Downloads against a real server that speaks the Hub's protocol, and misbehaves by the repository's name."""

from pathlib import Path

import pytest

from magicpose_cli.core.errors import AccessError, DiskFullError, OfflineError, UsageError
from magicpose_cli.weights.download import download, plan_download
from magicpose_cli.weights.registry import load_registry


def _parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


def test_good_files_arrive_and_need_no_network_again(client, hub, content, tmp_path):
    names = ("good", "direct", "moved", "busy", "cut")
    hub_before, files_before = len(hub.hub_requests), len(hub.file_requests)
    first = client(*names, HF_TOKEN="hf_secret")
    for name in names:
        (path,) = first[name]["paths"]
        assert Path(path) == tmp_path / "home" / "weights" / name / "weights.bin"
        assert Path(path).read_bytes() == content
        assert first[name]["asked"] == [len(content)]
    assert len(first["busy"]["notes"]) == 1 and "too many requests" in first["busy"]["notes"][0]
    assert len(first["cut"]["notes"]) == 1 and "trying again" in first["cut"]["notes"][0]
    hub_requests, file_requests = hub.hub_requests[hub_before:], hub.file_requests[files_before:]
    assert {token for _, token in hub_requests} == {"Bearer hf_secret"}
    assert {token for _, token in file_requests} == {None}, "the token left the Hub"
    assert all("/resolve/0123456789abcdef" in path for path, _ in hub_requests)

    seen = len(hub.hub_requests)
    for offline in ("0", "1"):
        again = client(*names, HF_HUB_OFFLINE=offline)
        assert all(again[name]["paths"] == first[name]["paths"] for name in names)
        assert not any(again[name]["connections"] or again[name]["asked"] for name in names)
    assert len(hub.hub_requests) == seen


def test_failures_are_told_apart_and_leave_nothing(client, tmp_path):
    names = ("flipped", "longer", "unsized-short", "gated", "private", "gone", "old-commit")
    names += ("much-too-busy", "down", "login")
    found = client(*names)
    expected = {
        "flipped": ("IntegrityError", "sha256 is"),
        "longer": ("IntegrityError", "3072001 bytes, weights.toml says 3072000"),
        "unsized-short": ("IntegrityError", "sent 1000 bytes"),
        "gated": ("AccessError", "licence has to be accepted"),
        "private": ("AccessError", "missing, private or gated"),
        "gone": ("NotOnHubError", "no file folder/weights.bin"),
        "old-commit": ("NotOnHubError", "no such commit"),
        "much-too-busy": ("DownloadError", "too many requests"),
        "down": ("DownloadError", "the server fails (503)"),
        "login": ("DownloadError", "web page"),
    }
    for name, (error, words) in expected.items():
        assert found[name]["error"] == error, found[name]
        assert words in found[name]["message"], found[name]
        assert found[name]["hint"]
    assert "hf auth login" in found["gated"]["hint"] and "15 minutes" in found["much-too-busy"]["hint"]
    wrong, right = found["flipped"]["message"].split("sha256 is ")[1].split(", it should be ")
    assert len(wrong) == len(right) == 64 and wrong != right
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not files, "nothing unverified may stay"


def test_a_damaged_file_on_disk_is_fetched_anew(client, content):
    (path,) = map(Path, client("good")["good"]["paths"])
    path.write_bytes(content[:-1] + b"?")
    assert client("good")["good"]["asked"], "it was taken for good"
    assert path.read_bytes() == content


def test_no_server_at_all(client):
    found = client("good", HF_ENDPOINT="http://127.0.0.1:9")
    assert found["good"]["error"] == "DownloadError" and "127.0.0.1" in found["good"]["message"]
    assert len(found["good"]["notes"]) == 2


def test_offline_and_not_there(entry, write_toml, tmp_path):
    # the tests run with HF_HUB_OFFLINE=1
    registry = load_registry(write_toml(tmp_path / "weights.toml", [entry("good")]))
    with pytest.raises(OfflineError, match="good is not on this machine"):
        download(["good"], tmp_path / "root", accept=lambda plan: True, registry=registry)


def test_the_plan_says_sizes_and_licences_and_can_be_declined(
    entry, write_toml, client, tmp_path, content, monkeypatch
):
    entries = [entry("good", used_for=["animate"], converted_about=10), entry("direct", licence="another")]
    client("good", entries=entries)
    registry = load_registry(tmp_path / "weights.toml")
    root = tmp_path / "home" / "weights"
    plan = plan_download(["animate", "direct"], root, registry=registry)
    assert [w.name for w in plan.present] == ["good"] and [w.name for w in plan.missing] == ["direct"]
    assert plan.licences == {"another": ("direct",)} and plan.download_bytes == len(content)
    assert plan_download((), tmp_path / "no" / "such" / "folder", registry=registry).converted_bytes == 10

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with pytest.raises(AccessError, match="not accepted"):
        download(["direct"], root, accept=lambda plan: False, registry=registry)
    with pytest.raises(UsageError, match="goood") as error:
        plan_download(["goood"], root, registry=registry)
    assert "did you mean good" in error.value.hint


def test_a_disk_too_small_is_said_before(entry, write_toml, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    huge = entry("good", size=1 << 49, converted_about=1 << 48)
    registry = load_registry(write_toml(tmp_path / "weights.toml", [huge]))
    with pytest.raises(DiskFullError, match=r"needs 562950\.0 GB, its conversion 281475\.0 GB"):
        download(["good"], tmp_path, accept=lambda plan: pytest.fail("asked in vain"), registry=registry)
