"""Foreign checkpoint layouts to diffusers layouts."""
