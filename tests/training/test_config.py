"""Recipes: every entry has its kind and its range, and a wrong one is one sentence."""

from pathlib import Path

import pytest

from magicpose_cli.core.errors import InputError, UsageError
from magicpose_cli.training.config import read_recipe

ROOT = Path(__file__).parents[2]


def _read(folder: Path, text: str):
    (folder / "r.toml").write_text(text, encoding="utf-8")
    return read_recipe(folder / "r.toml")


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("steppes = 1", "no entry 'steppes'"),
        ("batch = 3", "not a multiple"),
        ('steps = "two"', "steps is 'two', not a whole number"),
        ("steps = 0", "steps is 0 use at least 1"),
        ("steps = true", "not a whole number"),
        ("batch = 1.5", "not a whole number"),
        ("precision = 16", "not a text"),
        ('precision = "half"', "use float32 or bfloat16"),
        ('trains = "vae"', 'write it as trains = ["unet"]'),
        ("ema = nan", "ema is nan"),
        ("data = 3", "[data] is a section"),
        ("new = 3", "sections such as [new.unet]"),
        ("[data]\ntargets_per_reference = 0", "targets_per_reference is 0"),
        ("[data]\nreuse = 0", "reuse is 0.0"),
        ("[data]\nsize = 60", "not a multiple of 8"),
        ("[optimizer]\ndecay = 2", "decay is 2.0 use 0 to 1"),
        ("[noise]\ndrop = 1.5", "drop is 1.5"),
        ('[optimizer]\nkind = "sgd"', "use adamw or adamw-8bit"),
        ("[memory]\naverage_on_cpu = 1", "average_on_cpu is 1, not true or false"),
        ("weights = 3", "'weights' is a section of paths"),
        ("accumulation = 0", "accumulation is 0"),
        ("[new]\nvae = 1", "sections such as [new.unet]"),
    ],
)
def test_a_wrong_entry_is_one_sentence(entry: str, told: str, tmp_path: Path):
    with pytest.raises(UsageError) as caught:
        _read(tmp_path, f'stage = "vae"\n{entry}\n')
    assert told in f"{caught.value.message} {caught.value.hint}"


def test_a_recipe_names_its_stage(tmp_path: Path):
    (tmp_path / "r.toml").write_text("seed = 1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="names no stage"):
        read_recipe(tmp_path / "r.toml")


def test_a_file_that_is_not_toml_is_named(tmp_path: Path):
    (tmp_path / "r.toml").write_text("stage = = 1", encoding="utf-8")
    with pytest.raises(InputError, match=r"r\.toml is not a TOML file"):
        read_recipe(tmp_path / "r.toml")


def test_entries_arrive_in_their_own_kinds(tmp_path: Path):
    recipe = _read(tmp_path, 'stage = "vae"\nema = 0\ntrains = ["vae.decoder"]\n[noise]\ndrop = 1\n[new.vae]\nx = 1\n')
    assert recipe.trains == ("vae.decoder",)
    assert isinstance(recipe.ema, float) and isinstance(recipe.noise.drop, float)
    assert recipe.new == {"vae": {"x": 1}}


RECIPES = sorted((ROOT / "examples" / "training").rglob("*.toml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_examples_are_valid(recipe: Path):
    assert read_recipe(recipe).steps > 1


def test_what_does_nothing_beside_the_data_is_refused(tmp_path: Path):
    for entries, kind in (
        ('shards = "set"\nmotions = ["poses"]', "a folder of shards"),
        ('shards = "set"\nreuse = 2.0', "a folder of shards"),
        ('shards = "https://host/{0..3}.tar"\nwindow = 9', "a stream of shards"),
        ('validation_shards = "https://host/4.tar"', "figures"),
    ):
        with pytest.raises(UsageError, match=f"does nothing for {kind}"):
            _read(tmp_path, f'stage = "vae"\n[data]\n{entries}\n')


def test_a_weight_on_flicker_wants_clips(tmp_path: Path):
    weight = "[noise]\nflicker_weight = 1.0\n"
    with pytest.raises(UsageError, match="flicker_weight does nothing without clips"):
        _read(tmp_path, f'stage = "motion"\n{weight}')
    assert _read(tmp_path, f'stage = "motion"\n{weight}[data]\nclip_fps = 12\n').noise.flicker_weight == 1
