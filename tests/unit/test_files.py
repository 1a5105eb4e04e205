"""Files written whole: by several processes at once, and what killed ones leave."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from engine.errors import OutputError
from engine.files import remove_leftovers, replacing

N_PROCESSES, N_WRITES, N_BYTES = 4, 20, 200_000


def write_often(path: Path, byte: int, start: Barrier) -> None:
    """Exits with 1 if any write fails."""
    start.wait()
    for _ in range(N_WRITES):
        try:
            with replacing(path) as temporary, temporary.open("wb") as file:
                for _ in range(10):
                    file.write(bytes([byte]) * (N_BYTES // 10))
                    file.flush()
        except OutputError:
            sys.exit(1)


def test_processes_write_the_same_file_at_once(tmp_path: Path):
    path = tmp_path / "pack.npz"
    spawning = multiprocessing.get_context("spawn")
    start = spawning.Barrier(N_PROCESSES)
    writers = [
        spawning.Process(target=write_often, args=(path, i, start)) for i in range(N_PROCESSES)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * N_PROCESSES
    content = path.read_bytes()
    assert len(content) == N_BYTES
    assert len(set(content)) == 1  # one writer's, whole
    assert list(tmp_path.iterdir()) == [path]


def test_two_temporaries_of_a_file_differ_and_keep_its_suffix(tmp_path: Path):
    path = tmp_path / ("ü" * 120 + ".png")  # 244 bytes
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        assert first.suffix == second.suffix == ".png"
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert path.read_bytes() == b"1"


def test_leftovers_of_killed_processes_go_and_those_at_work_stay(tmp_path: Path):
    killed = (
        "import os, signal, sys; from pathlib import Path; from engine.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", killed, tmp_path / "a.tar"], check=False)
    (left,) = tmp_path.iterdir()
    foreign = tmp_path / f".b.partial-00000000-{os.getpid()}-ab.tar"
    foreign.touch()
    with replacing(tmp_path / "c.tar") as busy:
        busy.touch()
        remove_leftovers(tmp_path)
        assert not left.exists()
        assert busy.exists()
    assert foreign.exists()
