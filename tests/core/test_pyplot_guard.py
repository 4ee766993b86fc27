"""mediapipe loads without matplotlib, and its drawings find the real one."""

import subprocess
import sys

CODE = """
import sys
from magicpose_cli.pose.mediapipe_graphs import mediapipe_version
assert mediapipe_version()
assert not any(name.partition(".")[0] == "matplotlib" for name in sys.modules)
from mediapipe.python.solutions import drawing_utils
print(drawing_utils.plt.figure.__module__, drawing_utils.plt.rcParams is sys.modules["matplotlib"].rcParams)
"""


def test_mediapipe_loads_pyplot_when_it_draws() -> None:
    result = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120)
    assert result.stdout == "matplotlib.pyplot True\n", result.stderr
