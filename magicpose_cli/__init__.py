"""magicpose: animate the person in a photo with the motion of a video (MagicPose, ICML 2024)."""

__version__ = "0.1.0"
