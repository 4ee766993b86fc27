"""Names that a user types and more than one room knows. Imports nothing: the command line reads them for --help."""

SCHEDULERS = ("ddim", "dpm++", "unipc")
FITS = ("auto", "none")
PERSONS = ("largest", "left", "right")  # or a number
FRAMINGS = ("auto", "photo", "person")
DETECTORS = ("dwpose", "openpose", "mediapipe")  # in the order in which 'auto' tries them
