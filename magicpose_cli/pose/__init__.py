"""Frames to one person's pose track, and pose folders on disk."""
