import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from magicpose_cli.core.errors import IntegrityError, UsageError
from magicpose_cli.diffusion.guidance import Guidance
from magicpose_cli.diffusion.load import load_pipeline
from magicpose_cli.diffusion.pipeline import MagicPosePipeline
from magicpose_cli.diffusion.schedulers import SCHEDULERS, make_scheduler


@pytest.fixture(scope="module")
def pipeline(tiny):
    return tiny.pipeline()


def near(frames, others, levels=1):
    return np.abs(frames.astype(int) - others.astype(int)).max() <= levels


def test_frames_have_the_size_of_the_poses(pipeline, reference, pose_maps):
    frames = pipeline(reference, pose_maps).frames
    assert frames.shape == (5, 16, 24, 3)
    assert frames.dtype == np.uint8
    assert np.array_equal(pipeline(reference, pose_maps).frames, frames)
    assert not np.array_equal(pipeline(reference, pose_maps, seed=1).frames, frames)
    pictures = [Image.fromarray(m) for m in pose_maps]
    images = pipeline(Image.fromarray(reference), pictures, output_type="pil").frames
    assert np.array_equal(np.stack([np.asarray(image) for image in images]), frames)
    assert pipeline(reference, pose_maps, output_type="latent").frames.shape == (5, 4, 8, 12)


def test_reference_poses_and_prompt_all_matter(pipeline, reference, pose_maps):
    def latents(reference=reference, pose_maps=pose_maps, **options):
        return pipeline(reference, pose_maps, output_type="latent", **options).frames

    plain = latents()
    assert not torch.allclose(latents(reference=255 - reference), plain, atol=1e-4)
    assert not torch.allclose(latents(pose_maps=255 - pose_maps), plain, atol=1e-4)
    assert not torch.allclose(latents(prompt="a person"), plain, atol=1e-4)
    assert not torch.allclose(latents(guidance_scale=4.0), plain, atol=1e-4)
    assert torch.equal(latents(guidance=Guidance(2.0), num_inference_steps=2), plain)


@pytest.mark.parametrize("motion", [False, True])
def test_any_multiple_of_a_latent_position_will_do(tiny, reference, pose_maps, motion):
    """11 positions across halve to 6, and double to 11 again: no canvas need be a multiple of all levels."""
    pipeline = tiny.pipeline(tiny.motion_adapter() if motion else None)
    narrow = pipeline(reference[:, :22], pose_maps[:, :, :22], window=4, num_inference_steps=1).frames
    assert narrow.shape == (5, 16, 22, 3)


def test_segments_and_batches_do_not_show(pipeline, reference, pose_maps):
    whole = pipeline(reference, pose_maps).frames
    drawn = []

    def draw(start, stop):
        drawn.extend(range(start, stop))
        return pose_maps[start:stop]

    options = {"frame_count": 5, "frames_per_segment": 2, "frames_per_batch": 1, "decode_chunk": 1}
    stream = pipeline.stream(reference, draw, **options)
    first = next(stream)
    assert drawn == [0, 1]  # the second segment is not touched before the first is out
    assert near(np.stack([first, *stream]), whole)
    assert drawn == [0, 1, 2, 3, 4]
    own = [pipeline(reference, pose_maps, shared_noise=False, frames_per_segment=n).frames for n in (2, 5)]
    assert near(*own)
    assert not near(own[0], whole, 10)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_segments_do_not_show_with_a_motion_module(tiny, reference, name):
    """Overlapping windows reach over the segments' ends at each step: still the same frames, to the last digits."""
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter())
    pipeline.scheduler = make_scheduler(name, pipeline.scheduler)
    maps = np.random.default_rng(2).integers(0, 256, (23, 16, 24, 3), np.uint8)
    options = {"window": 5, "window_overlap": 2, "shared_noise": False, "num_inference_steps": 3}

    def latents(segment):
        return torch.cat(list(pipeline.stream_latents(reference, maps, frames_per_segment=segment, **options)))

    whole = latents(23)
    for segment in (5, 8, 2):  # a window long, longer, shorter
        torch.testing.assert_close(latents(segment), whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("motion", [False, True])
def test_each_map_is_drawn_once_however_many_frames_and_steps(tiny, reference, motion):
    """More frames than encodings are kept of, and with a motion module more under way than that."""
    pipeline = tiny.pipeline(tiny.motion_adapter() if motion else None)
    drawn = []

    def draw(start, stop):
        drawn.extend(range(start, stop))
        return np.zeros((stop - start, 16, 24, 3), np.uint8)

    options = {"frame_count": 72, "num_inference_steps": 2, "guidance_scale": 1.0, "window": 8, "frames_per_batch": 8}
    for _ in pipeline.stream_latents(reference, draw, frames_per_segment=36, **options):
        pass
    assert drawn == list(range(72))


def test_what_is_held_does_not_grow_with_the_clip(tiny, reference):
    """With a motion module about one segment for each step is under way: the first is out before the last begins."""
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter())
    count, steps, window = 60, 3, 4
    drawn = []

    def draw(start, stop):
        drawn.append(stop)
        return np.zeros((stop - start, 16, 24, 3), np.uint8)

    options = {"frame_count": count, "num_inference_steps": steps, "window": window, "window_overlap": 1}
    for out, latents in enumerate(pipeline.stream_latents(reference, draw, **options), start=1):
        assert len(latents) == window
        assert max(drawn) <= min(count, (out + steps) * window)
    assert out == count // window


def test_processors_are_stock_between_frames_and_after_an_abandoned_stream(pipeline, reference, pose_maps):
    before = {name: dict(getattr(pipeline, name).attn_processors) for name in ("unet", "appearance_unet")}
    stream = pipeline.stream(reference, pose_maps, frames_per_segment=2)
    next(stream)
    assert before == {name: getattr(pipeline, name).attn_processors for name in before}
    stream.close()

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(reference, pose_maps, on_step=stop)
    assert before == {name: getattr(pipeline, name).attn_processors for name in before}


def test_steps_are_told(pipeline, reference, pose_maps):
    told = []
    pipeline(reference, pose_maps, num_inference_steps=3, frames_per_batch=2, on_step=lambda *x: told.append(x))
    assert told[0] == (2, 15)
    assert told[-1] == (15, 15)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_motion_module(tiny, reference, pose_maps):
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter())
    told = []
    options = {"window": 3, "window_overlap": 1, "shared_noise": True}
    moving = pipeline(reference, pose_maps, on_step=lambda *x: told.append(x), **options).frames
    assert told[-1][0] == told[-1][1] > 2 * 5  # overlapped frames count at each window
    still = pipeline(reference, pose_maps, use_motion=False).frames
    assert not near(moving, still, 5)
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter(zero=True))
    assert near(pipeline(reference, pose_maps, **options).frames, still)
    pipeline = tiny.pipeline(motion_adapter=tiny.motion_adapter(zero=True), motion_shares_noise=True)
    assert near(pipeline(reference, pose_maps, window=3, window_overlap=1).frames, still)  # as it learnt it
    with pytest.raises(UsageError, match="window of 16 frames"):
        pipeline(reference, pose_maps, window=16)


@pytest.mark.parametrize("motion", [False, True])
def test_a_saved_pipeline_comes_back(tiny, reference, pose_maps, tmp_path, motion):
    pipeline = tiny.pipeline(
        tiny.motion_adapter() if motion else None, default_steps=3, default_guidance=1.5, motion_shares_noise=True
    )
    frames = pipeline(reference, pose_maps, window=4).frames
    pipeline.save_pretrained(tmp_path, safe_serialization=True)
    for again in (MagicPosePipeline.from_pretrained(tmp_path), load_pipeline(tmp_path)):
        assert again.config.default_steps == 3
        assert again.config.default_guidance == 1.5
        assert again.config.native_size == 16
        assert (again.motion_adapter is not None) == motion
        assert np.array_equal(again(reference, pose_maps, window=4).frames, frames)


def test_half_precision_stays_near(tiny, reference, pose_maps):
    pipeline = tiny.pipeline()
    full = pipeline(reference, pose_maps).frames
    half = pipeline.to(torch.bfloat16)(reference, pose_maps).frames
    assert np.abs(half.astype(int) - full.astype(int)).mean() < 6


def test_what_does_not_fit_is_said(pipeline, reference, pose_maps):
    def fails(match, *args, **options):
        with pytest.raises(UsageError, match=match):
            pipeline(*args, **options)

    fails("23x16 pixels, not a multiple of 2", reference[:, :23], pose_maps)
    fails("reference is 24x14 pixels", reference[:14], pose_maps)
    fails("no pose maps", reference, pose_maps[:0])
    fails("need frame_count", reference, lambda start, stop: pose_maps)
    fails("there are 5 pose maps", reference, pose_maps, frame_count=6)
    fails("0 steps", reference, pose_maps, num_inference_steps=0)
    fails("not RGB uint8", reference / 255.0, pose_maps)
    fails("unknown output type", reference, pose_maps, output_type="jpeg")


def test_a_result_that_is_not_finite_is_no_black_video(tiny, reference, pose_maps):
    pipeline = tiny.pipeline()
    torch.nn.init.constant_(pipeline.unet.conv_out.bias, float("nan"))
    with pytest.raises(IntegrityError, match="frames 0 to 4 is not finite"):
        pipeline(reference, pose_maps)


def test_importing_the_room_imports_no_torch():
    code = "import sys, magicpose_cli.diffusion as d; assert 'torch' not in sys.modules; print(len(d.__all__))"
    assert int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout) > 10


def test_the_public_names_are_there():
    import magicpose_cli.diffusion as room

    for name in room.__all__:
        assert callable(getattr(room, name)), name
    with pytest.raises(AttributeError):
        room.nothing_of_the_kind  # noqa: B018


def test_the_library_example_runs(tiny, tmp_path, monkeypatch, reference, pose_maps):
    tiny.pipeline(native_size=32).save_pretrained(tmp_path / "model", safe_serialization=True)
    (tmp_path / "maps").mkdir()
    for i, drawn in enumerate(pose_maps):
        Image.fromarray(drawn).save(tmp_path / "maps" / f"{i:04}.png")
    Image.fromarray(reference).save(tmp_path / "reference.png")
    arguments = [str(tmp_path / name) for name in ("model", "reference.png", "maps", "out.gif")]
    script = Path(__file__).parents[2] / "examples" / "use_as_library.py"
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")
    with Image.open(tmp_path / "out.gif") as gif:
        assert gif.size == (32, 32)
        assert 1 < gif.n_frames <= 5  # frames that look the same are joined
