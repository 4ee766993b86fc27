"""The shared words of the project: values, errors, progress. Imports nothing of magicpose."""
