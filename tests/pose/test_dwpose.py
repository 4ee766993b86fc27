"""The DWPose detector on small ONNX networks built here."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magicpose_cli.core.errors import IntegrityError
from magicpose_cli.pose.dwpose import load

onnx = pytest.importorskip("onnx", reason="onnx comes with the extra 'dev'", exc_type=ImportError)
pytest.importorskip("onnxruntime", reason="onnxruntime comes with the extra 'dwpose'", exc_type=ImportError)

SIDE = 64  # of the picture in which the small YOLOX looks
WIDTH, HEIGHT = 24, 32  # of the crop in which the small SimCC network looks
PERSON = (200, 0, 0)  # the colour of a person; on him a green spot is his left hand, a blue one his right hand


def save(path: Path, nodes: list, inputs: dict, outputs: dict, constants: dict[str, np.ndarray]) -> Path:
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def person_finder(path: Path) -> Path:
    """YOLOX in small, one picture at a time: a cell of stride 16 that is red is a person of 16 × 32 pixels."""
    node = onnx.helper.make_node
    box = np.array([0.5, 0.5, 0, np.log(2)], np.float32)
    return save(
        path,
        [
            node("Slice", ["images", "two", "three", "axis"], ["red"]),  # BGR: the last channel
            node("AveragePool", ["red"], ["means"], kernel_shape=[16, 16], strides=[16, 16]),
            node("Sub", ["means", "half"], ["above"]),
            node("Div", ["above", "half"], ["share"]),
            node("Reshape", ["share", "column"], ["objectness"]),  # (1, 16, 1)
            node("Concat", ["boxes", "objectness", "one"], ["middle"], axis=2),
            node("Concat", ["before", "middle", "after"], ["output"], axis=1),
        ],
        {"images": [1, 3, SIDE, SIDE]},
        {"output": [1, 84, 6]},
        {
            "two": np.array([2]),
            "three": np.array([3]),
            "axis": np.array([1]),
            "half": np.array(127, np.float32),
            "column": np.array([1, 16, 1]),
            "boxes": np.tile(box, (1, 16, 1)),
            "one": np.ones((1, 16, 1), np.float32),
            "before": np.zeros((1, 64, 6), np.float32),
            "after": np.zeros((1, 4, 6), np.float32),
        },
    )


def point_finder(path: Path, count: int = 133, second: str = "simcc_y") -> Path:
    """SimCC in small: body and face are where it is reddest, the left hand where greenest, the right where bluest."""
    node = onnx.helper.make_node
    nodes, sizes = [], (91, 21, count - 112)
    for axis, kept in (("x", 2), ("y", 3)):
        parts = []
        for channel in range(3):
            name = f"{axis}{channel}"
            nodes += [
                node("Slice", ["input", f"from{channel}", f"to{channel}", "channels"], [f"{name}_one"]),
                node("ReduceMax", [f"{name}_one"], [f"{name}_line"], axes=[1, kept], keepdims=0),  # (N, side)
                node("Unsqueeze", [f"{name}_line", "channels"], [f"{name}_row"]),  # (N, 1, side)
                node("Resize", [f"{name}_row", "", "scales"], [f"{name}_bins"], mode="nearest"),
                node("Tile", [f"{name}_bins", f"times{channel}"], [f"{name}_points"]),
            ]
            parts.append(f"{name}_points")
        nodes.append(node("Concat", parts, ["simcc_x" if axis == "x" else second], axis=1))
    constants = {"channels": np.array([1]), "scales": np.array([1, 1, 2], np.float32)}
    for channel, size in enumerate(sizes):
        constants |= {
            f"from{channel}": np.array([channel]),
            f"to{channel}": np.array([channel + 1]),
            f"times{channel}": np.array([1, size, 1]),
        }
    outputs = {"simcc_x": ["batch", count, WIDTH * 2], second: ["batch", count, HEIGHT * 2]}
    return save(path, nodes, {"input": ["batch", 3, HEIGHT, WIDTH]}, outputs, constants)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dwpose")
    return {
        "dwpose-person": person_finder(folder / "yolox.onnx"),
        "dwpose-points": point_finder(folder / "simcc.onnx"),
    }


@pytest.fixture(scope="module")
def detector(files):
    detector = load(files, "cpu")
    yield detector
    detector.close()


def frame_of(*people: tuple[int, int]) -> np.ndarray:
    """A frame of 256 × 128, which YOLOX sees a quarter as large, with people in cells (column, row) of 64 pixels."""
    frame = np.zeros((128, 256, 3), np.uint8)
    for column, row in people:
        x, y = column * 64, row * 64
        frame[y : y + 64, x : x + 64] = PERSON
        frame[y + 26 : y + 38, x + 4 : x + 16] = (200, 255, 0)
        frame[y + 26 : y + 38, x + 48 : x + 60] = (200, 0, 255)
    return frame


def test_people_are_found_each_with_his_own_points(detector):
    people = sorted(detector.detect(frame_of((0, 0), (2, 1))), key=lambda person: person.left_hand[0, 0])
    assert len(people) == 2
    for person, (x, y) in zip(people, ((0, 0), (128, 64)), strict=True):
        # A pixel of the crop is 6.7 pixels of the frame: 64 × 128, a quarter larger, in 24 × 32.
        assert np.abs(person.left_hand[:, :2] - (x + 10, y + 32)).max() < 6.7
        assert np.abs(person.right_hand[:, :2] - (x + 54, y + 32)).max() < 6.7
        assert (person.left_hand[:, 2] > 0.5).all() and (person.points[:, 2] <= 1).all()


def test_a_batch_is_its_frames_one_by_one(detector):
    frames = [frame_of((1, 0)), frame_of(), frame_of((0, 0), (3, 1), (2, 0)), frame_of((3, 0))]
    together = detector.detect_batch(frames)
    assert [len(people) for people in together] == [1, 0, 3, 1]
    for people, frame in zip(together, frames, strict=True):
        for found, alone in zip(people, detector.detect(frame), strict=True):
            np.testing.assert_allclose(found.points, alone.points, atol=1e-4)


def test_many_people_go_through_in_several_runs(detector):
    crowd = [(column, row) for column in range(4) for row in range(2)]
    assert [len(people) for people in detector.detect_batch([frame_of(*crowd)] * 3)] == [8, 8, 8]


def test_it_says_where_it_runs(detector):
    assert detector.device == "cpu"


def test_pictures_of_any_size_and_none_that_is_no_frame(detector):
    for shape in ((1, 1), (2, 500), (500, 2), (37, 199)):
        assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((64, 64), np.uint8))


def test_another_network_is_refused(tmp_path, files):
    with pytest.raises(IntegrityError, match="has no output 'simcc_x'") as caught:
        load({"dwpose-person": files["dwpose-person"], "dwpose-points": files["dwpose-person"]}, "cpu")
    assert "magicpose download dwpose" in caught.value.hint
    swapped = load({"dwpose-person": files["dwpose-points"], "dwpose-points": files["dwpose-points"]}, "cpu")
    with pytest.raises(IntegrityError, match="not YOLOX's boxes"):
        swapped.detect(frame_of((0, 0)))
    other = point_finder(tmp_path / "other.onnx", count=130)
    with pytest.raises(IntegrityError, match="not 133 points"):
        load(files | {"dwpose-points": other}, "cpu").detect(frame_of((0, 0)))


def test_a_file_that_is_no_network_is_refused(tmp_path, files):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(files["dwpose-points"].read_bytes()[:200])
    with pytest.raises(IntegrityError, match="no ONNX network"):
        load(files | {"dwpose-points": broken}, "cpu")


def test_extract_takes_it_where_its_weights_are_and_says_so(tmp_path, files, monkeypatch):
    """The command itself, with a list of weights that names the small networks."""
    entries = []
    for name, path in files.items():
        (tmp_path / "weights" / name).mkdir(parents=True)
        shutil.copy(path, tmp_path / "weights" / name)
        fields = {
            "name": name,
            "repo": "nobody/small",
            "file": path.name,
            "revision": "0" * 40,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "format": "onnx",
            "licence": "none",
            "purpose": "a test",
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
        entries.append("\n".join(["[[weight]]", *lines, f"size = {path.stat().st_size}", 'used_for = ["dwpose"]']))
    (tmp_path / "list.toml").write_text("\n".join(entries))
    monkeypatch.setenv("MAGICPOSE_WEIGHTS_TOML", str(tmp_path / "list.toml"))
    monkeypatch.setenv("MAGICPOSE_HOME", str(tmp_path))
    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.fromarray(frame_of((2, 0))).save(tmp_path / "frames" / f"{number}.png")

    def run(*more: str) -> subprocess.CompletedProcess:
        words = [sys.executable, "-m", "magicpose_cli", "extract", "frames", "-o", "poses", "--json", *more]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    done = run("--device", "cpu", "--raw")
    assert done.returncode == 0, done.stderr
    assert "detector dwpose (" in done.stderr
    assert json.loads(done.stdout)["detector"].startswith("dwpose ")
    [person] = json.loads((tmp_path / "poses" / "000002_keypoints.json").read_text())["people"]
    assert abs(person["hand_left_keypoints_2d"][0] - (128 + 10)) < 6.7
    simcc = tmp_path / "weights" / "dwpose-points" / "simcc.onnx"
    simcc.write_bytes(simcc.read_bytes()[::-1])
    broken = run("--overwrite")
    assert broken.returncode == 33 and "magicpose download dwpose-points" in broken.stderr
