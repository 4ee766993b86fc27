"""The list that ships, and what a list may not say."""

import re
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.core.paths import weights_root
from magicpose_cli.weights import store
from magicpose_cli.weights.registry import _check_path, load_registry


def test_the_list_that_ships_is_pinned_throughout():
    registry = load_registry()
    for weight in registry.weights:
        assert re.fullmatch("[0-9a-f]{40}", weight.revision) and re.fullmatch("[0-9a-f]{64}", weight.sha256)
        assert weight.bytes_about > 0 and weight.source
        assert store.path_of(weight).is_relative_to(weights_root())


def test_what_animate_needs_is_the_default():
    names = [weight.name for weight in load_registry().select()]
    assert names == ["magicpose", "tokenizer-vocab", "tokenizer-merges", "motion-v2"]
    registry = load_registry()
    assert {w.name for w in registry.select(["tokenizer", "motion-v3"])} == {*names[1:3], "motion-v3"}
    assert registry.find("magicpose").size == 9_153_487_711
    vocab, merges = (store.path_of(registry.find(f"tokenizer-{part}")) for part in ("vocab", "merges"))
    assert vocab.parent == merges.parent == store.tokenizer_folder(registry)
    assert (vocab.name, merges.name) == ("vocab.json", "merges.txt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": ""}, "'sha256'"),
        ({"sha256": "unknown"}, "'sha256'"),
        ({"sha256": "A" * 64}, "'sha256'"),
        ({"revision": "main"}, "'revision'"),
        ({"repo": "https://example.org/x"}, "'repo'"),
        ({"repo": "../x"}, "'repo'"),
        ({"name": "Up Per"}, "'name'"),
        ({"size": 0}, "'size'"),
        ({"size": True}, "'size'"),
        ({"size": "9 GB"}, "'size'"),
        ({"format": "exe"}, "'format'"),
        ({"licence": " "}, "'licence'"),
        ({"purpose": "\x1b[31mred"}, "'purpose'"),
        ({"used_for": "animate"}, "'used_for'"),
        ({"url": "http://example.org"}, "'url' is no known key"),
        ({"folder": "a/b"}, "'folder'"),
        ({"folder": ".."}, "'folder'"),
        ({"file": "../../etc/passwd"}, "'file'"),
        ({"file": "/etc/passwd"}, "'file'"),
        ({"file": "a/../b"}, "'file'"),
        ({"file": "C:\\x"}, "'file'"),
        ({"file": "C:x"}, "'file'"),
        ({"file": "\\\\server\\share"}, "'file'"),
        ({"file": "a//b"}, "'file'"),
        ({"file": "nul"}, "'file'"),
        ({"file": "COM1.bin"}, "'file'"),
        ({"file": "a\0b"}, "'file'"),
        ({"file": "a."}, "'file'"),
        ({"file": "~/x"}, "'file'"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_name_and_reason(change, message, entry, write_toml, tmp_path):
    file = write_toml(tmp_path / "weights.toml", [entry("fine"), entry("other") | change])
    with pytest.raises(IntegrityError, match=f"entry 2.*{re.escape(message)}"):
        load_registry(file)


def test_missing_keys_doubles_and_broken_files(entry, write_toml, tmp_path):
    file = tmp_path / "weights.toml"
    for key in ("sha256", "revision", "licence", "size"):
        with pytest.raises(IntegrityError, match=key):
            load_registry(write_toml(file, [{k: v for k, v in entry("one").items() if k != key}]))
    for entries in (
        [entry("one"), entry("one", folder="two")],
        [entry("one", folder="x"), entry("two", folder="x")],
        [entry("one"), entry("two", used_for=["one"])],
    ):
        with pytest.raises(IntegrityError, match="twice"):
            load_registry(write_toml(file, entries))
    for text in ("", "weight = 3", "[[weight]", "[other]\nx = 1", "\udcff"):
        file.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(IntegrityError):
            load_registry(file)
    with pytest.raises(IntegrityError, match="cannot read"):
        load_registry(tmp_path / "none.toml")


def test_a_folder_of_models_is_not_for_weights(entry, write_toml, tmp_path):
    registry = load_registry(write_toml(tmp_path / "weights.toml", [entry("one", folder="models")]))
    with pytest.raises(IntegrityError, match="outside"):
        store.path_of(registry.find("one"), tmp_path)


@given(st.text(st.sampled_from("ab./\\:~ \0-_*?<>|CON19nul\n\u202e"), min_size=1, max_size=24))
def test_any_path_that_passes_stays_inside_on_any_system(text):
    try:
        _check_path(text, "file")
    except ValueError:
        return
    for flavour in (PurePosixPath, PureWindowsPath):
        path = flavour("root") / text
        assert not flavour(text).is_absolute() and not flavour(text).drive
        assert path.parts[0] == "root" and ".." not in path.parts and len(path.parts) == 1 + len(text.split("/"))


def test_model_names_are_plain(tmp_path):
    assert store.model_folder("magicpose", tmp_path) == tmp_path / "models" / "magicpose"
    for name in ("", ".", "..", "a/b", "/etc", ".hidden"):
        with pytest.raises(UsageError):
            store.model_folder(name, tmp_path)
    assert store.list_models(tmp_path) == []
    for name in ("whole", "half"):
        store.model_folder(name, tmp_path).mkdir(parents=True)
    (store.model_folder("whole", tmp_path) / "model_index.json").write_text("{}")
    assert store.list_models(tmp_path) == ["whole"]
    assert store.mini_folder().parts[-3:] == ("magicpose_cli", "models", "mini")
