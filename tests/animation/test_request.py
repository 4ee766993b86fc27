from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magicpose_cli.animation.request import (
    AnimationRequest,
    CompareRequest,
    check_compare,
    check_request,
    parse_fps,
    parse_size,
)
from magicpose_cli.core.errors import InputError, UsageError

REQUEST = AnimationRequest(Path("me.png"), Path("poses"), Path("out.mp4"))


def test_the_defaults_pass() -> None:
    check_request(REQUEST)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("preset", "publised", "did you mean published?"),
        ("scheduler", "dpm", "did you mean dpm++?"),
        ("device", "cude", "did you mean cuda?"),
        ("device", "cpu:x", "--device"),
        ("fit", "full", "--fit"),
        ("framing", "fit", "--framing"),
        ("dtype", "int8", "--dtype"),
        ("detector", "mediapip", "did you mean mediapipe?"),
        ("person", "middle", "--person"),
        ("person", "-1", "--person"),
        ("steps", 0, "--steps"),
        ("guidance", float("nan"), "--guidance"),
        ("seed", -1, "--seed"),
        ("size", "512x", "size"),
        ("size", "9999", "size"),
        ("fps", "25/0", "frame rate"),
        ("fps", "-3", "frame rate"),
        ("output", Path("out.mp5"), ".mp5"),
        ("output", Path("out"), "no ending"),
        ("end", 0.0, "--end"),
        ("start", float("inf"), "--start"),
    ],
)
def test_a_value_that_cannot_work_is_told(field: str, value: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_request(replace(REQUEST, **{field: value}))
    assert said in caught.value.message


@given(
    seed=st.integers(0, 2**63 - 1),
    guidance=st.none() | st.floats(0, 100),
    prompt=st.text(),
    name=st.text(st.characters(blacklist_characters="\0/"), min_size=1),
    motion=st.booleans(),
)
def test_a_request_survives_its_json(seed: int, guidance: float | None, prompt: str, name: str, motion: bool) -> None:
    request = AnimationRequest(
        Path("/a") / name, Path("/b"), Path("/c.mp4"), seed=seed, guidance=guidance, prompt=prompt, motion=motion
    )
    assert AnimationRequest.from_json(request.to_json()) == request


def test_paths_in_json_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert REQUEST.to_json()["poses"] == str(tmp_path / "poses")


@pytest.mark.parametrize(
    "change", [{"steps": "ten"}, {"motion": 1}, {"reference": None}, {"seed": True}, {"unheard": 3}, {"prompt": None}]
)
def test_a_wrong_json_is_refused(change: dict) -> None:
    with pytest.raises(InputError):
        AnimationRequest.from_json(REQUEST.to_json() | change)


def test_every_field_has_a_known_type() -> None:
    # from_json checks types by their names; a new one must be taught there
    words = {word for field in fields(AnimationRequest) for word in str(field.type).split(" | ")}
    assert words <= {"Path", "str", "int", "float", "bool", "None"}


@pytest.mark.parametrize(
    ("text", "rate"), [("24", Fraction(24)), ("30000/1001", Fraction(30000, 1001)), ("12.5", Fraction(25, 2))]
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_fps(text) == rate


def test_sizes() -> None:
    assert parse_size("512") == 512
    assert parse_size("512x768") == parse_size("512×768") == (512, 768)


def test_labels_and_inputs_are_counted() -> None:
    with pytest.raises(UsageError, match="1 labels for 2 inputs"):
        check_compare(CompareRequest((Path("a"), Path("b")), labels=("one",)))
