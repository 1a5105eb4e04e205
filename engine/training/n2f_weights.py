"""Files of N2FNet's weights: they name the head model, and another one's are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import ModelContractError
from engine.flame.model import HeadModel
from engine.training.checkpoint import Kind, load_into, read_weights
from engine.training.n2f_settings import N2FSettings
from engine.training.n2fnet import N2FNet

__all__ = ["N2FNET", "N2FRecipe", "read_n2fnet"]


@dataclass(frozen=True, slots=True)
class N2FRecipe:
    """All that a network's sizes and meaning depend on."""

    settings: N2FSettings
    model_id: str  # sha256 of the head model's file
    model_name: str
    n_shape: int
    n_expr: int

    @classmethod
    def of(cls, settings: N2FSettings, model: HeadModel) -> "N2FRecipe":
        """For a head model."""
        return cls(settings, model.model_id, model.name, model.n_shape, model.n_expr)

    @property
    def batch_size(self) -> int:
        return self.settings.batch_size

    @property
    def checkpoint_minutes(self) -> float:
        return self.settings.checkpoint_minutes

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        names = ("model_id", "model_name", "n_shape", "n_expr")
        own = {name: getattr(self, name) for name in names}
        return {"settings": self.settings.to_dict(), **own}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "N2FRecipe":
        """Undoes `to_dict`. Raises: ValueError, TypeError: if it is something else."""
        if "settings" not in values:
            raise ValueError("settings of N2FNet are missing")
        settings = N2FSettings.from_dict(values["settings"])
        return cls(**{**values, "settings": settings})

    def make_net(self) -> N2FNet:
        """With random weights."""
        return N2FNet(self.settings, self.n_shape, self.n_expr)

    def check_model(self, model: HeadModel, path: Path) -> None:
        """Raises: ModelContractError: if weights belong to another head model."""
        if self.model_id != model.model_id:
            raise ModelContractError(
                f"{path} was trained for {self.model_name} ({self.model_id[:12]}), but "
                f"{model.name} ({model.model_id[:12]}) is loaded; pass the other with --model, or "
                "train for this one with n2f train n2fnet --model"
            )


N2FNET = Kind("n2fnet parameter network", N2FRecipe.from_dict)


def read_n2fnet(path: Path, model: HeadModel) -> tuple[N2FNet, N2FRecipe]:
    """The network of a checkpoint (.pt) or of weights (.npz), in evaluation mode.

    Raises: AssetError: if the file is unusable. ModelContractError: if it is for another head.
    """
    weights, recipe = read_weights(path, N2FNET)
    recipe.check_model(model, path)
    net = recipe.make_net()
    load_into(net, weights, path)
    return net.eval(), recipe
