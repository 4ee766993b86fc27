"""Synthetic people with exact keypoints: training data, demo media, ground truth for tests."""
