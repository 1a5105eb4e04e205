"""The peers: what each is, which file it needs, from where, under which licence. No torch here."""

from dataclasses import dataclass
from typing import Final

__all__ = ["FRONT_END", "FRONT_END_NEEDS", "PEERS", "Peer", "needs_checkpoint"]

FRONT_END: Final = "pixel3dmm-net"
"""The method that optimises against the normals of Pixel3DMM's official network."""

FRONT_END_NEEDS: Final = (
    "needs checkpoint: normals.ckpt, from Pixel3DMM's authors "
    "(https://github.com/SimonGiebenhain/pixel3dmm), licence: of the code CC BY-NC 4.0"
)

_FLAME_2020 = "FLAME 2020's generic_model.pkl"
_RESEARCH = "Max Planck Society, non-commercial research"


@dataclass(frozen=True, slots=True)
class Peer:
    """One published network that regresses FLAME."""

    name: str
    title: str
    paper: str
    files: tuple[str, ...]  # what its authors call the checkpoints that can be used
    source: str  # where they are to be had
    licence: str  # of the weights
    architectures: tuple[str, ...]  # of engine.peers.architectures; none: the file brings its code
    gives: str  # what it tells of a head
    head: str = _FLAME_2020  # the head model that its codes belong to


PEERS: Final = {
    peer.name: peer
    for peer in (
        Peer(
            "deca",
            "DECA",
            "Feng et al., SIGGRAPH 2021",
            ("deca_model.tar",),
            "https://github.com/yfeng95/DECA (Google Drive 1rp8kdyLPvErw2dTmqtjISRVvQLj6Yzje)",
            _RESEARCH,
            ("deca",),
            "shape 100, expression 50, jaw, pose and camera",
        ),
        Peer(
            "emoca",
            "EMOCA v1, v2",
            "Danecek et al., CVPR 2022",
            ("EMOCA_v2_lr_mse_20.zip", "EMOCA_v2_lr_cos_1.5.zip", "EMOCA_v2_mp.zip", "EMOCA.zip"),
            "https://emoca.is.tue.mpg.de; give the unpacked folder or one of its .ckpt files",
            _RESEARCH,
            ("emoca", "emoca-two-heads"),
            "DECA's shape, pose and camera; its own expression 50 and jaw",
        ),
        Peer(
            "smirk",
            "SMIRK",
            "Retsinas et al., CVPR 2024",
            ("SMIRK_em1.pt",),
            "https://github.com/georgeretsi/smirk (Google Drive 1T65uEd9dVLHgVw5KiUYL66NUee-MCzoE)",
            "none stated for the weights; the code is MIT; trained with non-commercial models",
            ("smirk",),
            "shape 300, expression 50, eyelids, jaw, pose and camera",
        ),
        Peer(
            "sheap",
            "SHeaP",
            "Schoneveld et al., ICCV 2025",
            ("model_paper.pt", "model_expressive.pt"),
            "https://github.com/nlml/SHeaP/releases/tag/v1.0.0",
            "CC BY-NC 4.0",
            (),
            "shape 300, expression 100, eyelids, jaw, neck, eyes, pose and place",
        ),
        Peer(
            "mica",
            "MICA",
            "Zielonka et al., ECCV 2022",
            ("mica.tar",),
            "https://github.com/Zielon/MICA (Google Drive 1bYsI_spptzyuFmfLYqYkcJA6GZWZViNt)",
            _RESEARCH,
            ("mica",),
            "shape 300 of the neutral head, nothing else",
        ),
    )
}
"""By name."""


def needs_checkpoint(peer: Peer) -> str:
    """What to say where a peer has no checkpoint."""
    files = " or ".join(peer.files)
    return f"needs checkpoint: {files}, from {peer.source}, licence: {peer.licence}"
