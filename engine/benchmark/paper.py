"""The paper's own figures, quoted; they stand in columns of their own and are never mixed in.

Source: "3D Face Reconstruction from a Single RGB Image via Normal-to-3DMM Regression", Tables 1, 3.
CD and MNE on Multiface, NME on 300W; alignment, cameras, subsets and hardware are not told there.
"""

from typing import Final, NamedTuple

__all__ = ["ABLATION", "COMPARISON", "AblationRow", "ComparisonRow"]


class AblationRow(NamedTuple):
    """Table 1: CD in mm by region, NME in %."""

    title: str
    face: float
    eyes: float
    nose: float
    mouth: float
    ears: float
    nme: float


class ComparisonRow(NamedTuple):
    """Table 3."""

    title: str
    cd_mm: float
    mne_rad: float
    cr: float
    fps: float


ABLATION: Final = {
    "baseline": AblationRow("baseline", 1.26, 1.05, 1.30, 1.22, 2.52, 6.68),
    "two-stage": AblationRow("+ two-stage training", 1.19, 1.01, 1.16, 1.14, 2.71, 6.64),
    "finetuned": AblationRow("+ fine-tuning on real data", 1.18, 1.00, 1.15, 1.13, 2.69, 5.50),
}
"""By the names that such networks have here."""

COMPARISON: Final = {
    "deca": ComparisonRow("DECA", 1.36, 0.266, 0.77, 48.38),
    "emoca": ComparisonRow("EMOCA", 1.48, 0.289, 0.73, 36.38),
    "smirk": ComparisonRow("SMIRK", 1.34, 0.264, 0.77, 100.36),
    "pixel3dmm": ComparisonRow("Pixel3DMM", 1.13, 0.227, 0.84, 0.27),
    "n2fnet-noseg": ComparisonRow("N2FNet without segmentation", 1.21, 0.266, 0.82, 9.48),
    "n2fnet": ComparisonRow("N2FNet", 1.18, 0.235, 0.82, 6.42),
}
"""By the names that these methods have here."""
