import json
from pathlib import Path

import pytest

from magicpose_cli.animation.models import choose_model, model_facts
from magicpose_cli.core.errors import InputError, IntegrityError, OfflineError, UsageError
from magicpose_cli.weights.store import model_folder


@pytest.fixture(autouse=True)
def _empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path / "home"))


def make_model(folder: Path, **index: object) -> Path:
    (folder / "vae").mkdir(parents=True)
    (folder / "vae" / "config.json").write_text(json.dumps({"block_out_channels": [8, 8, 8, 8, 8]}))
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "MagicPosePipeline"} | index))
    return folder


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "mine", native_size=256, default_steps=20, motion_adapter=["diffusers", "X"])
    choice = choose_model(str(folder))
    assert (choice.name, choice.folder) == (str(folder), folder)
    facts = model_facts(folder)
    assert (facts.native_size, facts.default_steps, facts.has_motion) == (256, 20, True)
    assert facts.multiple == 16  # five levels of the VAE halve a side four times


def test_auto_takes_the_full_model_where_it_is() -> None:
    folder = make_model(model_folder("magicpose"))
    assert choose_model("auto").folder == folder
    assert choose_model("magicpose").folder == folder


def test_a_known_model_that_is_not_there() -> None:
    with pytest.raises(OfflineError) as caught:
        choose_model("magicpose")
    assert "magicpose download" in caught.value.hint


def test_a_mistyped_model() -> None:
    with pytest.raises(UsageError, match="did you mean magicpose"):
        choose_model("magicpos")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_index\.json"):
        choose_model(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", '{"default_steps": "many"}'])
def test_a_broken_index(tmp_path: Path, content: str) -> None:
    (tmp_path / "model_index.json").write_text(content)
    with pytest.raises(IntegrityError):
        model_facts(tmp_path)
