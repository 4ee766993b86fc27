"""What the disk may do while a file comes, with the kernel's help: failing calls, their order, a read-only folder."""

import re

import pytest


def test_a_file_is_on_disk_before_it_takes_its_place(clients, tmp_path):
    trace = tmp_path / "trace"
    strace = clients.if_it_works("strace", "-f", "-y", "-qq", "-e", "trace=fsync,rename", "-o", str(trace))
    if not strace:
        pytest.skip("needs a strace that may trace")
    assert clients.cli("download", "good", "--yes", names=("good",), prefix=strace).returncode == 0
    folder = clients.path("good").parent
    calls = [line for line in trace.read_text().splitlines() if str(folder) in line]
    part, path = re.escape(str(clients.part("good"))), re.escape(str(clients.path("good")))
    expected = (rf"fsync\(\d+<{part}>", rf'rename\("{part}", "{path}"\)', rf"fsync\(\d+<{re.escape(str(folder))}>")
    assert all(re.search(*pair) for pair in zip(expected, calls[:3], strict=True)), calls


@pytest.mark.parametrize(
    ("call", "error", "code"), [("fsync", "EIO", 20), ("write", "ENOSPC:when=10+", 21), ("rename", "EROFS", 20)]
)
def test_a_call_that_fails_is_no_success(call, error, code, clients, content):
    path = ["-P", str(clients.part("good"))]
    strace = clients.if_it_works("strace", "-f", "-qq", *path, "-e", f"inject={call}:error={error}", "-o", "/dev/null")
    if not strace:
        pytest.skip("needs a strace that may trace")
    done = clients.cli("download", "good", "--yes", names=("good",), prefix=strace)
    assert done.returncode == code, done.stderr
    assert not clients.path("good").exists() and clients.part("good").stat().st_size > 0, "what came is kept"
    if code == 21:
        assert "it goes on where it was" in done.stderr


def test_weights_in_a_read_only_folder_are_used(clients, hub):
    read_only = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    prefix = ["unshare", "-m", "sh", "-c", read_only, str(clients.folder / "home")]
    (clients.folder / "home").mkdir()
    if not clients.if_it_works(*prefix):
        pytest.skip("needs the right to mount")
    assert clients.cli("download", "good", "--yes", names=("good",)).returncode == 0
    clients.path("good").with_name("weights.bin.verified").unlink()  # hashed again, and that cannot be noted
    assert clients.cli("download", "good", names=("good",), prefix=prefix).returncode == 0
    done = clients.cli("download", "cut", "--yes", names=("cut",), prefix=prefix)
    assert done.returncode == 20 and "ead-only" in done.stderr, done.stderr
