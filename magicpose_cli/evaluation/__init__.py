"""Finished results to scores and tables. Never generates media of its own."""
