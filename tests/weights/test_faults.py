"""Every way in which a server or a line can fail, over real sockets: each ends in the file, or in its own error."""

# repository (see hub_server.py) → how many notes of another try there are
RECOVERS = {
    "good": 0,
    "direct": 0,
    "moved": 0,
    "unsized": 0,
    "packed": 0,
    "there-and-back": 0,
    "cut": 1,
    "reset": 1,
    "weak-etag": 1,
    "range-ignored": 1,
    "new-version": 1,
    "mixed-version": 2,
    "wrong-piece": 2,
    "unnamed-piece": 2,
    "packed-piece": 2,
    "416": 2,
    "bad-line": 7,
    "expired": 1,
    "flipped-once": 1,
    "failing": 1,
    "busy": 1,
    "busy-seconds": 1,
    "busy-date": 1,
    "busy-silent": 1,
    "busy-nonsense": 1,
}

FAILS = {
    "flipped": ("IntegrityError", "sha256 is"),
    "longer": ("IntegrityError", "with 3072001 bytes, weights.toml says 3072000"),
    "shorter": ("IntegrityError", "with 3071999 bytes, weights.toml says 3072000"),
    "endless": ("IntegrityError", "sends more than the 3072000 bytes"),
    "other-size": ("IntegrityError", "with 3072001 bytes"),
    "other-sha256": ("IntegrityError", "offers another file"),
    "other-total": ("IntegrityError", "with 3072001 bytes"),
    "unsized-short": ("DownloadError", "ends after 1000 of 3072000 bytes"),
    "always-cut": ("DownloadError", "broke in the middle"),
    "always-reset": ("DownloadError", "broke in the middle"),
    "always-expired": ("DownloadError", "refuses the Hub's address"),
    "packed-badly": ("DownloadError", "header"),
    "bad-length": ("DownloadError", "ontent-"),
    "garbage": ("DownloadError", "127.0.0.1"),
    "garbage-headers": ("DownloadError", "127.0.0.1"),
    "login": ("DownloadError", "web page"),
    "login-untold": ("DownloadError", "web page"),
    "circles": ("DownloadError", "in circles"),
    "no-such-place": ("DownloadError", "without saying where"),
    "to-a-file": ("DownloadError", "no web address: refused"),
    "to-nonsense": ("DownloadError", "Invalid port"),
    "gated": ("AccessError", "licence has to be accepted"),
    "private": ("AccessError", "missing, private or gated"),
    "no-repo": ("NotOnHubError", "nothing"),
    "gone": ("NotOnHubError", "no file folder/weights.bin"),
    "old-commit": ("NotOnHubError", "no such commit"),
    "teapot": ("DownloadError", "answered 418"),
    "down": ("DownloadError", "the server fails (503)"),
    "always-busy": ("DownloadError", "too many requests"),
    "much-too-busy": ("DownloadError", "15 minutes"),
    "busy-till-tomorrow": ("DownloadError", "1440 minutes"),
}


def test_what_may_pass_passes_and_the_file_arrives(clients, hub, content):
    told = clients.run(*RECOVERS, HF_TOKEN="hf_secret")
    for name, notes in RECOVERS.items():
        assert told.results[name].get("paths") == [str(clients.path(name))], (name, told.results[name])
        assert clients.path(name).read_bytes() == content
        assert not list(clients.path(name).parent.glob("*.part*")), name
        assert len(told.notes[name]) == notes, (name, told.notes[name])
        assert told.done[name][-1] == len(content), "progress ends at the whole, whatever was dropped on the way"
        assert told.results[name]["asked"] == [len(content)]

    hub_asked, files_asked = hub.of("hub"), hub.of("files")
    assert {each.token for each in hub_asked if each.repo != "there-and-back"} == {"Bearer hf_secret"}
    assert {each.token for each in files_asked} == {None}, "the token left the Hub"
    assert [each.token for each in hub.of("hub", "there-and-back")] == ["Bearer hf_secret", None]
    assert all("/resolve/0123456789abcdef" in each.path for each in hub_asked if each.repo != "there-and-back")

    middle = f"bytes={len(content) // 2}-"
    for name in ("cut", "range-ignored", "new-version"):
        assert [(each.range, each.if_range) for each in hub.of("files", name)] == [
            (None, None),
            (middle, '"version-1"'),
        ], name
    assert hub.of("files", "reset")[1].if_range == '"version-1"', "how much came before a reset is the system's matter"
    assert [(each.range, each.if_range) for each in hub.of("files", "weak-etag")] == [(None, None), (middle, None)]
    for name in ("mixed-version", "wrong-piece", "unnamed-piece", "packed-piece", "416"):
        assert [each.range for each in hub.of("files", name)] == [None, middle, None], name
    for name in ("busy", "busy-seconds", "busy-date"):
        assert "trying again in 1 s" in told.notes[name][0]


def test_what_does_not_pass_is_told_apart_and_leaves_nothing_unverified(clients, hub, content):
    told = clients.run(*FAILS)
    for name, (error, words) in FAILS.items():
        found = told.results[name]
        assert found.get("error") == error, (name, found)
        assert words in f"{found['message']}; {found['hint']}", (name, found)
        assert found["hint"], name
        assert not clients.path(name).exists()
    assert "hf auth login" in told.results["gated"]["hint"]
    wrong, right = told.results["flipped"]["message"].split("sha256 is ")[1].split(", it should be ")
    assert len(wrong) == len(right) == 64 and wrong != right
    assert len(hub.of("files", "flipped")) == 2, "once more from the start, and no more"
    for name in ("other-size", "other-sha256", "gated", "gone", "teapot", "circles", "much-too-busy"):
        assert not hub.of("files", name), name
    for name in ("always-reset", "always-expired", "down", "always-busy"):
        assert len(hub.of("hub", name)) == 3, name
    kept = {path.parent.name: path.stat().st_size for path in clients.weights.rglob("*.part")}
    assert kept == {"always-cut": len(content) // 2, "always-reset": 1000, "unsized-short": 1000}


def test_a_line_that_stands_still_or_drips_is_given_up(clients, content):
    names = ("stalled", "dripping", "silent", "always-stalled", "always-dripping")
    told = clients.run(*names, patience={"stall": 0.5, "tries": 4})
    assert "no byte for 0.5 s" in told.notes["stalled"][0] and "too slow" in told.notes["dripping"][0]
    for name in ("stalled", "dripping"):
        assert clients.path(name).read_bytes() == content
    for name, words in {"silent": "no byte for 0.5 s", "always-stalled": "no byte", "always-dripping": "slow"}.items():
        assert told.results[name]["error"] == "DownloadError" and words in told.results[name]["message"]


def test_no_server_at_all(clients):
    told = clients.run("good", HF_ENDPOINT="http://127.0.0.1:9")
    assert told.results["good"]["error"] == "DownloadError" and "127.0.0.1" in told.results["good"]["message"]
    assert len(told.notes["good"]) == 2
    told = clients.run("good", HF_ENDPOINT="ftp://127.0.0.1")
    assert told.results["good"]["error"] == "DownloadError" and "HF_ENDPOINT" in told.results["good"]["hint"]


def test_a_token_that_the_hub_refuses(clients):
    told = clients.run("bad-token", HF_TOKEN="hf_secret")
    assert told.results["bad-token"]["error"] == "AccessError" and "expired" in told.results["bad-token"]["message"]
    told = clients.run("good", HF_TOKEN="hf_secret\x07é")
    assert told.results["good"]["error"] == "AccessError" and "HF_TOKEN" in told.results["good"]["message"]
