"""How strongly maps are degraded: see `engine.training.degradation`."""

from dataclasses import dataclass, replace

__all__ = ["Degradation"]


@dataclass(frozen=True, slots=True)
class Degradation:
    """Strengths, as `scripts/measure_degradation.py` finds them of the shipped normal network.

    Ranges are drawn from uniformly, by map; shares are those of maps. They are chosen so that
    degraded maps of the heads of 200 validation samples measure like what the network sees of
    these, by the means and the 5 and 95 % of `map_errors`: docs/training.md has the table. Masks,
    covers, blocks and all that is of single parts of the face are guesses.
    """

    blur_px: tuple[float, float] = (1.5, 5.5)  # standard deviation, at 256 px
    shrinkage: tuple[float, float] = (0.30, 0.66)  # share of the mean head's normals
    field_deg: tuple[float, float] = (2.5, 6.8)  # root mean square of the smooth error
    field_px: tuple[float, float] = (12.0, 48.0)  # its correlation lengths, at 256 px
    detail_deg: tuple[float, float] = (2.1, 5.8)  # of the error of small parts, as lids
    detail_px: float = 6.0
    uneven: float = 1.0  # errors of mouth, eyes, jaw line and edges over the others: none is seen
    frame_deg: float = 0.3  # largest turn of a whole map
    view_deg: float = 7.0  # largest turn of view normals against head normals
    noise_deg: tuple[float, float] = (1.2, 3.4)
    block_share: float = 0.1  # whose normals are the same all over each block
    block_px: float = 8.0  # a block's side, at 256 px
    blob_eyes_share: float = 0.3  # with flat or bulging blobs in place of the eyes
    blob_mouth_share: float = 0.3  # and in place of what an open mouth shows
    lid_blur_px: tuple[float, float] = (0.0, 4.0)  # standard deviation, at 256 px, around blobs
    most_mask_px: float = 6.0  # the mask's edge moves by, at 256 px
    hair_share: float = 0.5  # whose forehead or cheek is covered
    blob_share: float = 0.2  # with something in front: a hand, a microphone
    fill_share: float = 0.5  # of covered places that show wrong normals instead of nothing
    earless_share: float = 0.5  # with gaps in place of the ears
    glasses_share: float = 0.2
    beard_share: float = 0.15
    beard_deg: tuple[float, float] = (5.0, 14.0)  # root mean square of its error, where densest
    beard_px: float = 7.0  # correlation length of its error, at 256 px
    hole_share: float = 0.3  # with holes
    hole_area: float = 0.02  # share of a map with holes that they take
    hole_px: float = 10.0  # correlation length of the noise whose peaks they are, at 256 px
    flip_share: float = 0.3  # that are the mean with a copy of themselves a little beside
    flip_px: float = 4.0  # largest shift of the copy along x and y, at 256 px
    flip_deg: float = 3.0  # largest turn of the copy's normals, and of itself in its plane
    confidence: tuple[float, float] = (0.60, 0.74)  # mean inside the mask
    confidence_outside: tuple[float, float] = (0.31, 0.45)
    confidence_spread: float = 0.11  # standard deviation inside the mask
    confidence_fit: float = 0.7  # 0..1, how much of it follows the errors

    def scaled(self, strength: float) -> "Degradation":
        """Weaker errors: 0 none, 1 as they are. Confidence stays: no network's is 1 everywhere.

        Of what some maps have and others have not the share is scaled. Of 0 bytes alone are left.
        """
        s = strength

        def times(limits: tuple[float, float]) -> tuple[float, float]:
            return s * limits[0], s * limits[1]

        return replace(
            self,
            blur_px=times(self.blur_px),
            shrinkage=times(self.shrinkage),
            field_deg=times(self.field_deg),
            detail_deg=times(self.detail_deg),
            uneven=1 + s * (self.uneven - 1),
            frame_deg=s * self.frame_deg,
            view_deg=s * self.view_deg,
            noise_deg=times(self.noise_deg),
            block_share=s * self.block_share,
            blob_eyes_share=s * self.blob_eyes_share,
            blob_mouth_share=s * self.blob_mouth_share,
            most_mask_px=s * self.most_mask_px,
            hair_share=s * self.hair_share,
            blob_share=s * self.blob_share,
            earless_share=s * self.earless_share,
            glasses_share=s * self.glasses_share,
            beard_share=s * self.beard_share,
            hole_share=s * self.hole_share,
            flip_share=s * self.flip_share,
        )

    def uncovered(self) -> "Degradation":
        """Without what hides the face or gets into its mask: as the true maps, to measure."""
        return replace(
            self,
            hair_share=0.0,
            blob_share=0.0,
            earless_share=0.0,
            glasses_share=0.0,
            beard_share=0.0,
            hole_share=0.0,
        )
