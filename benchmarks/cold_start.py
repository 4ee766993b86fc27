"""How long ``magicpose --help`` takes against a Typer "hello world --help", both as fresh processes.

    python benchmarks/cold_start.py [--runs 20]

The two take turns, so that a busy moment hits both; the medians and their ratio are printed.
"""

import argparse
import statistics
import subprocess
import sys
import time

HELLO = """
import typer
app = typer.Typer()
@app.command()
def hello(name: str = "world"):
    typer.echo(f"hello {name}")
app(prog_name="hello")
"""
MAGICPOSE = "from magicpose_cli.cli.app import main; main()"


def seconds(code: str) -> float:
    """Wall time of a fresh interpreter that runs ``code`` with ``--help``."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    for code in (HELLO, MAGICPOSE):  # once each, to compile and to fill the disk cache
        seconds(code)
    pairs = [(seconds(HELLO), seconds(MAGICPOSE)) for _ in range(runs)]
    hello, magicpose = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"Typer hello world --help   {hello * 1000:7.1f} ms")
    print(f"magicpose --help           {magicpose * 1000:7.1f} ms")
    print(f"ratio                      {magicpose / hello:7.2f}")


if __name__ == "__main__":
    main()
