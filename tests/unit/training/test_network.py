"""The network's parts: the map of points, losses, folding, export."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engine.errors import AssetError
from engine.stages.mediapipe_mesh import canonical_vertices, mesh_triangles, triangles_at
from engine.training.batch import batch_from_rows
from engine.training.checkpoint import load_into, make_net, read_weights, write_weights
from engine.training.export_normals import Parity, check_parity, export_normals, fold_norms
from engine.training.normal_losses import angles, angmf, normal_losses
from engine.training.normal_net import ExportedNormalNet, NormalNet, NormalOutputs, expected_angle
from engine.training.point_map import PointMap, mesh_normals
from engine.training.sample_store import SampleStore
from engine.training.settings import NormalTrainSettings, read_settings

SMALL = NormalTrainSettings(size_px=32, widths=(8, 8, 8, 8), full_width=4)


def face(R: np.ndarray) -> torch.Tensor:
    mesh = canonical_vertices() @ R.T / 25.0 * [1, -1, 1]
    placed = mesh - mesh.mean(0) + [0.5, 0.5, 0.0]
    return torch.from_numpy(np.concatenate([placed, placed[:10]])).float()[None]


def test_mesh_normals_turn_with_the_head():
    triangles = torch.from_numpy(mesh_triangles()).long()
    around = torch.from_numpy(triangles_at()).long()
    R = Rotation.from_euler("yxz", [30, -10, 15], degrees=True).as_matrix()
    straight = mesh_normals(face(np.eye(3)), triangles, around)[0].double().numpy()
    turned = mesh_normals(face(R), triangles, around)[0].double().numpy()
    np.testing.assert_allclose(turned, straight @ R.T, atol=1e-4)
    assert straight[4, 2] > 0.9  # the tip of the nose looks at the viewer
    assert straight[234, 0] < -0.5  # the subject's right ear side looks to image left


def test_the_map_of_points_shows_normals_where_the_points_are():
    points = PointMap(32)
    spread = points(face(np.eye(3)))[0].detach()
    assert spread.shape == (PointMap.channels, 32, 32)
    assert float(spread[12 + 2, 16, 16]) > 0.5  # normals' z in the middle of the face
    assert float(spread[12, 16, 8]) < float(spread[12, 16, 23])  # x from image left to right
    assert float(spread[-3, 0, 0]) < 1e-9  # no density in a corner


def test_spreading_points_makes_no_numbers_that_processors_are_slow_with():
    points = PointMap(32)
    weights = [w[0].detach().double() for w in points._gaussians(face(np.eye(3)))]
    products = torch.einsum("ng,nh->ngh", *weights)
    assert float(products.min()) * np.exp(-8.0) > torch.finfo(torch.float32).tiny
    assert float(weights[0].max()) > 0.8  # peaks stay


def test_angmf_is_a_density_on_the_sphere():
    angle = torch.linspace(0, torch.pi, 20001, dtype=torch.float64)
    for log_kappa in (-1.0, 0.5, 2.0):
        density = torch.exp(-angmf(angle, torch.tensor(log_kappa, dtype=torch.float64)))
        # Its constant 2 pi is left out of the loss, as in the paper.
        assert float(torch.trapezoid(density * angle.sin(), angle)) == pytest.approx(1, abs=1e-6)
        mean = float(torch.trapezoid(density * angle.sin() * angle, angle))
        assert 0 < mean < torch.pi / 2


def test_the_expected_angle_is_the_mean_of_the_density():
    angle = torch.linspace(0, torch.pi, 20001, dtype=torch.float64)
    k = torch.tensor(2.0, dtype=torch.float64)
    mean = torch.trapezoid(torch.exp(-angmf(angle, k)) * angle.sin() * angle, angle)
    assert float(expected_angle(k)) == pytest.approx(float(mean), abs=1e-5)


def test_angles_have_finite_gradients_where_vectors_agree_or_oppose():
    truth = torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
    for sign, wanted in ((1.0, 0.0), (-1.0, torch.pi)):
        n = (sign * truth).clone().requires_grad_()
        angle = angles(n, truth)
        angle.sum().backward()
        assert float(angle.detach()) == pytest.approx(wanted, abs=2e-3)
        assert torch.isfinite(n.grad).all()


def test_the_loss_is_least_for_the_truth(ball_folder):
    store = SampleStore(ball_folder, "train", 32)
    store.refresh()
    batch = batch_from_rows(store.read(np.arange(4)))
    logits = 20 * torch.nn.functional.one_hot(batch.parsing, 8).permute(0, 3, 1, 2).float()
    kappa = torch.full((4, 2, 32, 32), 3.0)
    right = normal_losses(NormalOutputs(batch.head, batch.view, kappa, logits), batch)
    wrong = normal_losses(NormalOutputs(batch.view, batch.head, kappa, -logits), batch)
    assert float(right.edges) == 0
    assert float(right.parsing) < 1e-6
    for name in ("head", "view", "pose", "edges", "parsing"):
        assert float(getattr(right, name)) < float(getattr(wrong, name))


def test_the_turn_of_whole_maps_is_part_of_the_loss(ball_folder):
    store = SampleStore(ball_folder, "train", 32)
    store.refresh()
    batch = batch_from_rows(store.read(np.arange(4)))
    logits = torch.zeros(4, 8, 32, 32)
    kappa = torch.full((4, 2, 32, 32), 2.0)
    turn = Rotation.from_rotvec([0.03, -0.02, 0.01])
    R = torch.from_numpy(turn.as_matrix()).float()
    turned = torch.einsum("ij,bjyx->biyx", R, batch.view)
    random = torch.Generator().manual_seed(0)
    noise = 0.03 * torch.randn(turned.shape, generator=random)  # of pixels, which turns nothing
    out = NormalOutputs(
        batch.head, torch.nn.functional.normalize(turned + noise, dim=1), kappa, logits
    )
    found = float(normal_losses(out, batch).pose)
    assert found == pytest.approx(turn.magnitude(), rel=0.15)


def test_without_points_the_points_do_not_matter():
    net = NormalNet(32, (8, 8, 8, 8), 4, use_points=False).eval()
    image = torch.rand(1, 3, 32, 32)
    a, b = (net(image, p) for p in (torch.zeros(1, 478, 3), torch.rand(1, 478, 3)))
    assert torch.equal(a.head, b.head)


def test_the_default_network_is_small():
    net = NormalNet()
    assert sum(p.numel() for p in net.parameters()) < 3_500_000


def trained_looking(net: NormalNet) -> NormalNet:
    """With norms as training leaves them: not those of a new network."""
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_(0, 0.1)
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return net


def test_folding_norms_changes_nothing():
    net = ExportedNormalNet(trained_looking(make_net(SMALL))).eval()
    image = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    before = net(image, face(np.eye(3)))
    fold_norms(net)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    for a, b in zip(before, net(image, face(np.eye(3))), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), atol=1e-4)


def test_weights_come_back_from_their_file(tmp_path: Path):
    net = trained_looking(make_net(SMALL))
    write_weights(tmp_path / "w.npz", net.state_dict(), SMALL)
    weights, settings = read_weights(tmp_path / "w.npz")
    assert settings == SMALL
    other = make_net(settings)
    load_into(other, weights, tmp_path / "w.npz")
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), atol=2e-3)


def test_weights_of_another_network_are_refused(tmp_path: Path):
    with pytest.raises(AssetError, match="other sizes"):
        load_into(make_net(SMALL), make_net(NormalTrainSettings(size_px=32)).state_dict(), tmp_path)


@pytest.mark.parametrize("name", ["w.npz", "w.pt"])
def test_a_damaged_file_of_weights_is_named(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"nothing of use")
    with pytest.raises(AssetError, match=name):
        read_weights(tmp_path / name)


def test_unknown_settings_are_errors(tmp_path: Path):
    file = tmp_path / "settings.toml"
    file.write_text("stepps = 3\n")
    with pytest.raises(AssetError, match="unknown settings stepps"):
        read_settings(file)
    file.write_text("steps = 3\nwidths = [8, 8, 16, 16]\n")
    assert read_settings(file).widths == (8, 8, 16, 16)


def test_half_precision_may_differ_more_but_not_in_normals():
    half = Parity(normal_deg=0.01, mask=2e-3, confidence=1e-3, same_parsing=0.998)
    assert (half.holds, half.holds_in_half) == (False, True)
    assert not Parity(normal_deg=0.2, mask=0, confidence=0, same_parsing=1).holds_in_half


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_smaller_graphs_keep_the_contract(tmp_path: Path, precision):
    pytest.importorskip("onnxscript")
    from engine.stages.normal_network import OwnNetwork
    from tests.balls import ball_sample

    write_weights(tmp_path / "w.npz", trained_looking(make_net(SMALL)).state_dict(), SMALL)
    samples = [ball_sample(k) for k in range(4)]
    export_normals(tmp_path / "w.npz", tmp_path / "a.onnx")
    export_normals(tmp_path / "w.npz", tmp_path / "b.onnx", "abc", precision, samples)
    a, b = (
        OwnNetwork(tmp_path / name, threads=1, provider="cpu", may_fall_back=False)
        for name in ("a.onnx", "b.onnx")
    )
    assert b.session.metadata["precision"] == precision
    assert b.session.metadata["head_model_id"] == "abc"
    x, y = (net.predict(samples[0].image, samples[0].points) for net in (a, b))
    cosines = (x.head * y.head).sum(-1)
    assert float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean()) < 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("use_points", [True, False])
def test_the_exported_graph_keeps_the_contract(tmp_path: Path, use_points: bool):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from dataclasses import replace

    from engine.stages.onnx_session import OnnxSession

    settings = replace(SMALL, use_points=use_points)
    net = trained_looking(make_net(settings))
    write_weights(tmp_path / "w.npz", net.state_dict(), settings)
    parity = export_normals(tmp_path / "w.npz", tmp_path / "net.onnx", "abc")
    assert parity.normal_deg < 0.01
    session = OnnxSession(tmp_path / "net.onnx")
    assert {n: i.shape for n, i in session.inputs.items()} == {
        "image": (1, 32, 32, 3),
        "points": (1, 478, 3),
    }
    assert list(session.outputs) == ["head", "view", "confidence", "parsing", "mask"]
    assert session.metadata["head_model_id"] == "abc"
    other = ExportedNormalNet(trained_looking(make_net(settings))).eval()
    assert not check_parity(other, tmp_path / "net.onnx", 32).holds


def test_global_blocks_do_nothing_until_they_are_trained():
    plain = make_net(SMALL).eval()
    blocks = make_net(replace(SMALL, n_global=2)).eval()
    own = {k: v for k, v in blocks.state_dict().items() if k.startswith("global_blocks.")}
    assert len(own) == 2 * 13
    blocks.load_state_dict(own | plain.state_dict())
    image, points = torch.rand(2, 3, 32, 32), face(np.eye(3)).expand(2, -1, -1)
    with torch.no_grad():
        for a, b in zip(plain(image, points), blocks(image, points), strict=True):
            assert torch.equal(a, b)
