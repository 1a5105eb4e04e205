"""The registered head's mesh, from files made here; insides from the shipped openhead."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AssetError
from engine.openhead.mesh import PARTS
from engine.synth.makehuman_people import MakeHuman
from engine.synth.makehuman_topology import MakeHumanTopology, load_topology, registered_ids
from tests.unit.synth.makehuman_files import (
    N_SKIN,
    at,
    base_ids,
    base_mesh,
    fitted_arrays,
    jaw_opened,
    openhead,
    quads,
    regions,
    skin,
    skin_mirror,
    topology_arrays,
    write_registration,
)


def _makehuman() -> MakeHuman:
    return MakeHuman(base_mesh()[base_ids()], {}, {})


@pytest.fixture(scope="module")
def registration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_registration(tmp_path_factory.mktemp("made") / "registration")


@pytest.fixture(scope="module")
def topology(registration: Path) -> MakeHumanTopology:
    return load_topology(registration, openhead(), _makehuman())


def test_the_ids_are_rows_of_the_base_mesh(registration: Path) -> None:
    ids = registered_ids(registration)
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(ids, base_ids())


def test_skin_lies_where_it_was_registered_in_metres(topology: MakeHumanTopology) -> None:
    assert topology.n_skin == N_SKIN
    np.testing.assert_allclose(topology.neutral[:N_SKIN], skin(), atol=1e-8)  # float32 in the file


def test_insides_are_openheads_own_vertices(topology: MakeHumanTopology) -> None:
    model = openhead()
    np.testing.assert_array_equal(topology.neutral[N_SKIN:], model.v_template[topology.extra])
    names = ("gums", "teeth", "eyeballs")
    inside = np.unique(np.concatenate([model.regions[name] for name in names]))
    np.testing.assert_array_equal(topology.extra, inside)


def test_parts_tell_upper_from_lower_teeth_and_left_from_right_eye(
    topology: MakeHumanTopology,
) -> None:
    place = {name: topology.neutral[topology.part == k] for k, name in enumerate(PARTS)}
    assert len(place["skin"]) == N_SKIN
    assert place["upper_teeth"][:, 1].mean() > place["lower_teeth"][:, 1].mean() + 0.005
    assert place["eye_left"][:, 0].min() > 0
    assert place["eye_right"][:, 0].max() < 0
    assert len(place["eye_left"]) == len(place["eye_right"]) == 182


def test_the_mirror_map_is_its_own_inverse_and_takes_left_to_right(
    topology: MakeHumanTopology,
) -> None:
    np.testing.assert_array_equal(topology.mirror[:N_SKIN], skin_mirror())
    np.testing.assert_array_equal(topology.mirror[topology.mirror], np.arange(len(topology.mirror)))
    flipped = topology.neutral[topology.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(flipped, topology.neutral, atol=1e-6)


def test_quads_are_halved_and_those_of_the_eyeballs_left_out(topology: MakeHumanTopology) -> None:
    on_skin = topology.faces[(topology.faces < N_SKIN).all(axis=1)]
    n = len(quads())
    np.testing.assert_array_equal(on_skin, topology.faces[: 2 * n])
    np.testing.assert_array_equal(on_skin[:n], quads()[:, :3])
    np.testing.assert_array_equal(on_skin[n:], quads()[:, [0, 2, 3]])
    assert topology.faces[2 * n :].min() >= N_SKIN
    np.testing.assert_array_equal(topology.uv_faces[: 2 * n], on_skin)
    assert len(topology.uv_faces) == len(topology.faces)


def test_faces_look_outwards(topology: MakeHumanTopology) -> None:
    a, b, c = (topology.neutral[topology.faces[: 2 * len(quads())]][:, k] for k in range(3))
    normal = np.cross(b - a, c - a)
    side = np.abs(normal[:, 1]) < 0.5 * np.linalg.norm(normal, axis=1)
    outwards = ((a + b + c) * [1, 0, 1] * normal).sum(axis=1)
    assert (outwards[side] > 0).mean() > 0.95  # those round the made mouth's hole look inwards


def test_landmarks_keep_their_heaviest_corner_whichever_way_the_quad_is_cut(
    topology: MakeHumanTopology,
) -> None:
    arrays, marks = topology_arrays(), topology.landmarks68
    np.testing.assert_allclose(marks.bary.sum(axis=1), 1, atol=1e-6)
    for k, (corners, bary) in enumerate(
        zip(arrays["lmk68_tri"], arrays["lmk68_bary"], strict=True)
    ):
        weights = np.zeros(N_SKIN)
        weights[topology.faces[marks.faces_idx[k]]] = marks.bary[k]
        if k % 2:  # cut as the mesh is: exact
            np.testing.assert_allclose(weights[corners], bary, atol=1e-7)
        else:  # one corner lies beyond the diagonal, the others share its weight
            assert weights.argmax() == corners[0]


def test_regions_go_by_name(topology: MakeHumanTopology) -> None:
    np.testing.assert_array_equal(topology.rows("ears"), np.sort([at(13, 4), at(13, -4)]))
    both = topology.rows("lips", "interior")
    assert {int(row) for row in both} == set(np.flatnonzero(np.isin(regions(), [6, 9])).tolist())


def test_jaw_opens_as_registered_away_from_the_mouth(topology: MakeHumanTopology) -> None:
    chin = at(3, 0)
    expected = jaw_opened(skin()[chin])
    np.testing.assert_allclose(topology.jaw_open[chin], expected, atol=1e-7)
    assert expected[1] < -0.02  # downwards
    np.testing.assert_allclose(topology.jaw_open[at(20, 0)], 0, atol=1e-12)


def test_a_torn_lip_and_the_mouths_inside_follow_what_is_around(
    topology: MakeHumanTopology,
) -> None:
    torn = at(7, 0)
    around = [at(7, 1), at(7, -1), at(6, 0), at(8, 0), at(6, -1), at(8, 1)]  # with diagonals
    np.testing.assert_allclose(
        topology.jaw_open[torn], topology.jaw_open[around].mean(axis=0), atol=1e-7
    )
    jaw = (skin()[:, 2] > 0.10) & (skin()[:, 1] < -0.06) & ~np.isin(regions(), [9])
    opened = fitted_arrays()["expression_m"][1][:N_SKIN]
    # The back of the mouth goes a quarter of the chin's way.
    np.testing.assert_allclose(
        topology.jaw_open[at(9, 0)], 0.25 * opened[jaw].mean(axis=0), atol=1e-7
    )


def test_the_jaw_takes_the_lower_teeth_along_and_leaves_the_upper_ones(
    topology: MakeHumanTopology,
) -> None:
    moved = {name: topology.jaw_open[topology.part == k] for k, name in enumerate(PARTS)}
    assert moved["lower_teeth"][:, 1].max() < -0.01
    np.testing.assert_allclose(moved["upper_teeth"], 0, atol=1e-4)


def _damaged(tmp_path: Path, name: str, **changes: object) -> Path:
    """A registration folder where one archive has other arrays; None: without."""
    folder = write_registration(tmp_path / "registration")
    arrays = {"topology": topology_arrays, "ict_on_topology": fitted_arrays}[name]() | changes
    np.savez(folder / f"{name}.npz", **{k: v for k, v in arrays.items() if v is not None})
    return folder


@pytest.mark.parametrize("data", [None, b"", b"no archive", b"PK\3\4 half"])
def test_an_unreadable_topology_is_named(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "topology.npz").write_bytes(data)
    with pytest.raises(AssetError, match=r"topology\.npz cannot be read.*fetch it again"):
        registered_ids(tmp_path)


@pytest.mark.parametrize("name", ["topology.npz", "ict_on_topology.npz"])
def test_a_cut_archive_is_named(tmp_path: Path, name: str) -> None:
    path = write_registration(tmp_path / "registration") / name
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(AssetError, match=rf"{name} cannot be read.*fetch it again"):
        load_topology(path.parent, openhead(), _makehuman())


def test_a_topology_without_ids_is_told(tmp_path: Path) -> None:
    folder = _damaged(tmp_path, "topology", base_obj_vertex_ids=None)
    with pytest.raises(AssetError, match=r"topology\.npz.*base_obj_vertex_ids"):
        registered_ids(folder)


@pytest.mark.parametrize(
    ("name", "changes", "found"),
    [
        ("topology", {"skin_weights": None}, r"topology\.npz.*skin_weights"),
        ("ict_on_topology", {"neutral_m": None}, r"ict_on_topology\.npz.*neutral_m"),
        ("ict_on_topology", {"neutral_m": np.zeros((9, 3))}, r"has 9 vertices, topology\.npz 401"),
        ("ict_on_topology", {"expression_names": np.array(["a", "b"])}, "no jawOpen among a, b"),
        ("topology", {"region_names": np.array(list("0123456789"))}, r"no interior among 0, 1"),
    ],
)
def test_incomplete_archives_are_told_by_what_they_lack(
    tmp_path: Path, name: str, changes: dict[str, object], found: str
) -> None:
    folder = _damaged(tmp_path, name, **changes)
    with pytest.raises(AssetError, match=found):
        load_topology(folder, openhead(), _makehuman())


def test_a_base_mesh_that_is_not_symmetric_is_refused(registration: Path) -> None:
    vertices = _makehuman().vertices
    vertices[at(10, 3), 1] += 0.001
    with pytest.raises(AssetError, match=r"not symmetric; is base\.obj\.gz the right file"):
        load_topology(registration, openhead(), MakeHuman(vertices, {}, {}))


@pytest.mark.parametrize(
    ("field", "found"), [("mirror", "mirror map"), ("arkit", "ARKit's shapes")]
)
def test_an_openhead_that_lacks_something_is_refused(
    registration: Path, field: str, found: str
) -> None:
    with pytest.raises(AssetError, match=rf"openhead without .*{found}; build it again"):
        load_topology(registration, replace(openhead(), **{field: None}), _makehuman())
