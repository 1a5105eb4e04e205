"""MediaPipe's points as codes: the turn comes back, shapes keep their place, none is none."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.stages.mediapipe_mesh import canonical_vertices
from engine.training.point_code import PointCode, points_present


def made_points(turns: list[list[float]], bend: np.ndarray | None = None) -> torch.Tensor:
    """(B, 478, 3) MediaPipe's own face, turned, as shares of a crop."""
    face = canonical_vertices() if bend is None else canonical_vertices() + bend
    face = np.concatenate([face - canonical_vertices().mean(axis=0), np.zeros((10, 3))])
    turned = [face @ Rotation.from_rotvec(turn).as_matrix().T for turn in turns]
    shares = 0.04 * np.array(turned) * [1, -1, 1] + [0.52, 0.47, 0.1]
    return torch.from_numpy(shares).float()


def test_the_turn_of_the_face_comes_back():
    turns = [[0.0, 0.0, 0.0], [0.3, 0.7, 0.0], [-0.2, -0.9, 0.4]]
    left_over, found, place = PointCode(4)._aligned(made_points(turns))
    wanted = Rotation.from_rotvec(turns).as_matrix()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert float(left_over.abs().max()) < 1e-4
    np.testing.assert_allclose(place[:, :2], 20 * torch.tensor([[0.02, -0.03]] * 3), atol=1e-4)


def test_codes_tell_shapes_apart_whatever_the_pose():
    random = np.random.default_rng(0)
    bends = random.normal(0, 1, (2, 468, 3))
    amounts = random.normal(0, 0.2, (40, 2))
    turns = random.normal(0, 0.3, (40, 3)).tolist()
    samples = [
        made_points([turn], np.einsum("k,knc->nc", amount, bends))
        for turn, amount in zip(turns, amounts, strict=True)
    ]
    code = PointCode(2)
    code.learn_basis(torch.cat(samples))
    codes = code(torch.cat(samples))[:, :2].numpy()
    assert codes.std(axis=0) == pytest.approx([1, 1], rel=0.05)
    design = np.column_stack([amounts, np.ones(40)])
    rest = codes - design @ np.linalg.lstsq(design, codes, rcond=None)[0]
    assert rest.std() < 0.1  # the amounts, mixed


def test_none_is_none_and_a_basis_needs_samples():
    code = PointCode(4)
    points = torch.cat([made_points([[0, 0.2, 0]]), torch.zeros(1, 478, 3)])
    assert points_present(points).tolist() == [1, 0]
    assert torch.isfinite(code(points)).all()
    with pytest.raises(ValueError, match="1 samples with points, expected more than 4"):
        code.learn_basis(points)
