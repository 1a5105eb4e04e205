"""Made batches for N2FNet: maps of noise with parameters of a made head."""

import torch
from scipy.spatial.transform import Rotation

from engine.flame.model import HeadModel
from engine.training.n2f_batch import N2FBatch
from engine.training.n2fnet import N2FOutputs


def made_batch(model: HeadModel, n: int, size: int = 64) -> N2FBatch:
    """n samples; their maps have nothing to do with their parameters."""
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(n, *shape, generator=random)

    def unit(*shape: int) -> torch.Tensor:
        return torch.nn.functional.normalize(draw(*shape), dim=1)

    turns = Rotation.from_rotvec(0.2 * draw(3).numpy()).as_matrix()
    return N2FBatch(
        head=unit(3, size, size),
        view=unit(3, size, size),
        mask=torch.ones(n, 1, size, size),
        confidence=torch.ones(n, 1, size, size),
        image=draw(3, size, size).sigmoid(),
        mean=unit(3, size, size),
        facing=torch.ones(n, 1, size, size),
        points=0.5 + 0.1 * draw(478, 3),
        shape=draw(model.n_shape),
        expr=0.5 * draw(model.n_expr),
        jaw=0.05 * draw(3),
        eyelids=draw(2).sigmoid(),
        neck=0 * draw(3),
        R=torch.from_numpy(turns).float(),
        camera=0.02 * draw(3) + torch.tensor([1.4, 0.0, 0.0]),
    )


def true_outputs(batch: N2FBatch) -> N2FOutputs:
    """A network that is right, and says 1 of every standard deviation."""
    n_std = batch.shape.shape[1] + batch.expr.shape[1] + 14
    parts = (batch.shape, batch.expr, batch.jaw, batch.eyelids, batch.neck, batch.R, batch.camera)
    return N2FOutputs(*parts, torch.zeros(len(batch), n_std))
