"""A name in weights.toml to a verified path on disk."""
