"""Marks that say "made by magicpose": a watermark in the frames, signed credentials in the file; and their check."""
