"""Frames to one person's ``PoseTrack``, and pose folders in OpenPose's format, read and written."""
