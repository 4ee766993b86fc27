"""MagicPose as a diffusers pipeline, with none of the command line.

python examples/use_as_library.py MODEL_FOLDER REFERENCE.png POSE_MAPS_FOLDER OUT.gif

MODEL_FOLDER is what `magicpose convert`, `magicpose train` or `save_pretrained` wrote (the embedded one is
magicpose_cli/models/mini); POSE_MAPS_FOLDER holds drawn pose maps as PNGs (`magicpose extract --maps` makes them).
"""

import sys
from pathlib import Path

import torch
from PIL import Image, ImageOps

from magicpose_cli.diffusion import load_pipeline, make_scheduler

if len(sys.argv) != 5:
    sys.exit(__doc__)
model, reference_file, maps_folder, out = sys.argv[1:]
on_gpu = torch.cuda.is_available()
pipeline = load_pipeline(model, device="cuda" if on_gpu else "cpu", dtype=torch.float16 if on_gpu else torch.float32)
pipeline.scheduler = make_scheduler("unipc", pipeline.scheduler)  # DDIM, as published, is what the folder holds

side = pipeline.config.native_size
reference = ImageOps.pad(Image.open(reference_file).convert("RGB"), (side, side), color="white")
maps = [ImageOps.pad(Image.open(file).convert("RGB"), (side, side)) for file in sorted(Path(maps_folder).glob("*.png"))]
frames = pipeline(reference, maps, num_inference_steps=20, seed=0, output_type="pil").frames
frames[0].save(out, save_all=True, append_images=frames[1:], duration=40, loop=0)
