"""Files to frames and back, with sound, rate and rotation (PyAV; imageio for image formats)."""
