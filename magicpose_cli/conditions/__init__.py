"""Pose tracks and a reference photo to what the network sees."""
