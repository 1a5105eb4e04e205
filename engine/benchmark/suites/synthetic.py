"""Made people whose heads are known exactly; nothing to download, nothing to sign.

Samples come in turn from openhead, drawn anew for each, and from MakeHuman's population, which
openhead was not learned from, where the pack has it: people, skins, hair and lights that training
never saw. Pictures are drawn when they are asked for; the same index gives the same picture.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from engine.benchmark.regions import head_regions
from engine.benchmark.types import Kind, SuiteSettings, Truth, TruthMesh
from engine.flame.landmarks import landmarks68
from engine.flame.model import HeadModel
from engine.flame.posed import PosedHead, surface_points
from engine.frames import project
from engine.head_choice import chosen_head_model
from engine.pipeline import yaw_of
from engine.synth.builtin_pack import builtin_pack
from engine.synth.engine import SampleMaker, Scene
from engine.synth.pack import SynthPack
from engine.synth.pack_choice import chosen_pack
from engine.synth.pack_file import load_pack
from engine.synth.sample import MASK_CLASSES, code_normals, decode_normals
from engine.synth.settings import SynthSettings
from engine.types import F32, F64, Frame, NormalMap

__all__ = ["SyntheticSample", "SyntheticSuite"]

_SEED_OFFSET = 1_000_000
"""Seeds of the suite start here: no picture of it is one of the validation sets', drawn from 0."""

_KEPT = 4  # scenes in memory


class SyntheticSample:
    """One made picture."""

    box = None  # one head alone

    def __init__(self, suite: "SyntheticSuite", index: int, population: str) -> None:
        self._suite, self._index, self.group = suite, index, population

    @property
    def sample_id(self) -> str:
        return f"{self.group}/{self._index:06d}"

    @property
    def subject(self) -> str:
        return self.sample_id  # every sample shows somebody else

    def load(self) -> Frame:
        scene = self._suite.scene(self._index, self.group)
        return Frame(scene.image, self._index, 0, float(scene.placement.camera.K[0, 0]))

    def truth(self) -> Truth:
        scene = self._suite.scene(self._index, self.group)
        model, vertices = self._suite.head(scene)
        placement = scene.placement
        R, t, camera = placement.R, placement.t, placement.camera
        marks = surface_points(vertices, model.faces, model.landmarks68).astype(np.float64)
        seen = landmarks68(model, vertices, yaw_of(scene.params)).astype(np.float64)
        mesh = TruthMesh(
            vertices=vertices.astype(np.float64) @ R.T + t,
            faces=model.faces,
            regions=head_regions(model),
            landmarks68=marks @ R.T + t,
            model_id=model.model_id,
        )
        return Truth(
            mesh=mesh,
            landmarks68_px=project(seen @ R.T + t, camera.K),
            params=scene.params,
            camera=camera,
            normals=_normals(scene, R),
        )


def _normals(scene: Scene, R: F64) -> NormalMap:
    """Of the whole picture, as fine as training data stores them."""
    head = decode_normals(code_normals(scene.maps.head_normals))
    mask = np.isin(scene.maps.parsing, MASK_CLASSES).astype(np.float32)
    whole = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    view = (head @ R.T).astype(np.float32)
    return NormalMap(head, view, mask, mask, scene.maps.parsing, whole)


class SyntheticSuite:
    """`n_samples` of a seed."""

    name = "synthetic"
    kind: Kind = "mesh"
    neutral = False
    licence = "made here; see NOTICE for what the heads are made of"

    def __init__(self, settings: SuiteSettings) -> None:
        """Raises: AssetError: if a pack is named that is not there."""
        if settings.preset:
            raise ValueError(f"preset {settings.preset!r} does not exist; synthetic has none")
        self._settings = settings
        self._path = chosen_pack(settings.pack)
        self._scenes: dict[tuple[int, str], Scene] = {}
        self._made = False

    @property
    def title(self) -> str:
        if self._path is None:
            return "synthetic, openhead alone with built-in looks (a pack adds MakeHuman's people)"
        return f"synthetic, people and looks of {self._path.name}"

    def samples(self) -> Sequence[SyntheticSample]:
        """Raises: AssetError: if the pack cannot be read."""
        names = tuple(self._pack.heads)
        return tuple(
            SyntheticSample(self, i, names[i % len(names)]) for i in range(self._settings.n_samples)
        )

    def problems(self) -> list[str]:
        return []

    def scene(self, index: int, population: str) -> Scene:
        """The drawn scene of a sample. Raises: ProviderError: without OpenGL."""
        key = (index, population)
        if key not in self._scenes:
            if len(self._scenes) >= _KEPT:
                del self._scenes[next(iter(self._scenes))]
            self._scenes[key] = self._maker.scene(index, population)
        return self._scenes[key]

    def head(self, scene: Scene) -> tuple[HeadModel, F32]:
        """The true head's model and its vertices (V, 3), posed, model frame.

        A person of openhead comes on the mesh that the program fits, so that errors by vertex are
        possible; the picture may be drawn of a finer one.
        """
        if scene.params.model_id == self._posed.model.model_id:
            return self._posed.model, self._posed.vertices(scene.params)
        return scene.head.model, scene.posed.vertices

    def close(self) -> None:
        """Free OpenGL and MediaPipe; safe to call twice."""
        if self._made:
            self._maker.close()
        self._made = False

    @cached_property
    def _pack(self) -> SynthPack:
        return builtin_pack() if self._path is None else load_pack(self._path)

    @cached_property
    def _maker(self) -> SampleMaker:
        seed = _SEED_OFFSET + self._settings.seed
        maker = SampleMaker(SynthSettings(seed=seed, split="val", pack=self._path), self._pack)
        self._made = True
        return maker

    @cached_property
    def _posed(self) -> PosedHead:
        return PosedHead(chosen_head_model(None))
