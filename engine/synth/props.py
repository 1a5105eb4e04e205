"""Props: what people wear and hold, as meshes that are fitted to a posed head.

All take landmarks or vertices in metres in the model frame, of the head as it is posed, and return
meshes in the same frame. In the truth maps they are "other", but "neck" is neck, and what has
`is_lens` set is left out.
"""

from engine.synth.clothes import torso
from engine.synth.glasses import ear_roots, glasses
from engine.synth.hats import hat
from engine.synth.occluders import covered_share, occluder
from engine.synth.prop_shapes import Prop

__all__ = ["Prop", "covered_share", "ear_roots", "glasses", "hat", "occluder", "torso"]
