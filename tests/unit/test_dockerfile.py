"""The Dockerfile, which tests cannot build: what it names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()


def test_it_copies_what_the_wheel_is_built_from() -> None:
    copied = [line.split()[1:-1] for line in TEXT.splitlines() if line.startswith("COPY")]
    sources = {source for line in copied for source in line}
    assert all((ROOT / source).exists() for source in sources)
    assert {"app", "engine", "assets", "shaders", "pyproject.toml", "LICENSE", "NOTICE"} <= sources
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert kept == sources


def test_its_system_packages_are_those_of_the_setup() -> None:
    wanted = re.search(r"--no-install-recommends \\\n(.*?) \\\n", TEXT, re.DOTALL)
    assert wanted is not None
    known = (ROOT / "scripts" / "setup.sh").read_text().split()
    assert len(wanted[1].split()) == 5
    assert set(wanted[1].split()) <= set(known)
