"""Which release a file is taken for, and what is said about how that is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.flame import releases
from engine.flame.archive import Source
from engine.flame.pickle_loader import FlameFile
from engine.flame.releases import ATTRIBUTION, Release, recognise
from tests.bumpy_head import bumpy_head

RESEARCH = "Max Planck Society FLAME licence, non-commercial"


@pytest.fixture(scope="module")
def base() -> FlameFile:
    head = bumpy_head(level=2)
    return FlameFile(
        source=Source(Path("generic_model.pkl"), None, "0" * 64),
        pickle_sha256="0" * 64,
        keys=(),
        v_template=head.v_template,
        shapedirs=head.shapedirs,
        exprdirs=head.exprdirs,
        posedirs=head.posedirs,
        J_regressor=head.J_regressor,
        parents=head.parents,
        lbs_weights=head.lbs_weights,
        faces=head.faces,
    )


def _named(file: FlameFile, path: str, member: str | None = None, notice: str = "") -> FlameFile:
    return replace(file, source=Source(Path(path), member, "0" * 64, notice))


@pytest.mark.parametrize(
    ("sha256", "key", "licence"),
    [
        ("efcd14cc4a69f3a3d9af8ded80146b5b6b50df3bd74cf69108213b144eba725b", "2020", RESEARCH),
        ("8fb1af0db1abb51053ead8fd1f2624a63d01c9602f4a4fb4ea23bd2c82017fa0", "2023", RESEARCH),
        (
            "e75a0990728ba038c7da2a420ae4396f7ddd7781366c13026066c5b24f127623",
            "2023-open",
            "CC-BY-4.0",
        ),
    ],
)
def test_known_files_are_recognised_whatever_they_are_called(
    sha256: str, key: str, licence: str, base: FlameFile
) -> None:
    found = recognise(replace(_named(base, "renamed.pkl"), pickle_sha256=sha256))
    assert (found.key, found.licence, found.recognised_by) == (key, licence, "sha256")
    assert found.attribution == ATTRIBUTION
    assert found.notes == ()


@pytest.mark.parametrize(
    ("path", "member", "key"),
    [
        ("flame2023_Open.pkl", None, "2023-open"),
        ("FLAME2023Open.zip", "flame2023_Open.pkl", "2023-open"),
        ("flame2023_no_jaw.pkl", None, "2023-no-jaw"),
        ("FLAME2023.zip", "flame2023.pkl", "2023"),
        ("FLAME2020.zip", "FLAME2020/male_model.pkl", "2020"),
        ("FLAME2019/x.pkl", None, "unknown"),  # folders on the user's disk are no evidence
        ("FLAME2016.zip", "generic_model.pkl", "2016"),
        ("generic_model.pkl", None, "unknown"),
        ("my_head.pkl", None, "unknown"),
    ],
)
def test_other_files_are_judged_by_name_and_say_so(
    path: str, member: str | None, key: str, base: FlameFile
) -> None:
    found = recognise(_named(base, path, member))
    assert found.key == key
    assert found.recognised_by == ("nothing" if key == "unknown" else "file name")
    assert any("release not recognised from contents" in note for note in found.notes)
    assert found.licence == RESEARCH
    assert "commercial too" not in found.use
    told = "if this really is FLAME 2023 Open, it is CC-BY-4.0; its hash is not one we know"
    assert (told in found.notes) == (key == "2023-open")


def test_expression_that_stops_at_the_face_tells_2019(base: FlameFile) -> None:
    face_only = base.exprdirs * (base.v_template[:, 2] > 0.0)[:, None, None]
    found = recognise(replace(base, exprdirs=face_only.astype(np.float32)))
    assert (found.key, found.recognised_by) == ("2019", "contents")
    assert not any("not recognised" in note for note in found.notes)


def test_a_non_commercial_text_in_the_zip_is_told_under_an_open_name(base: FlameFile) -> None:
    text = "For non-commercial scientific research only."
    found = recognise(_named(base, "FLAME2023Open.zip", "flame2023_Open.pkl", text))
    assert found.licence == RESEARCH
    assert any("non-commercial licence in spite of its name" in note for note in found.notes)
    open_text = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/; not non-commercial"
    found = recognise(_named(base, "FLAME2023Open.zip", "flame2023_Open.pkl", open_text))
    assert found.licence == RESEARCH  # a text beside the model is no evidence of what it is
    assert not any("in spite of its name" in note for note in found.notes)


def test_peculiarities_are_noted(base: FlameFile) -> None:
    no_jaw = recognise(_named(base, "flame2023_no_jaw.pkl"))
    assert any("jaw joint must stay still" in note for note in no_jaw.notes)
    female = recognise(_named(base, "FLAME2020.zip", "female_model.pkl"))
    assert any("one sex" in note for note in female.notes)
    plain = recognise(replace(base, exprdirs=base.exprdirs[:, :, :0]))
    assert any("no expression" in note for note in plain.notes)


def test_a_release_survives_the_round_trip_through_provenance(base: FlameFile) -> None:
    found = recognise(_named(base, "flame2023_no_jaw.pkl"))
    assert Release.from_meta(found.to_meta()) == found
    with pytest.raises(TypeError):
        Release.from_meta({"key": "2020"})


def test_every_known_hash_is_a_sha256_of_a_named_release() -> None:
    for sha256, key in releases._KNOWN.items():
        assert len(bytes.fromhex(sha256)) == 32
        assert key in releases._NAMES
