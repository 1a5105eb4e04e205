"""Names and shapes of the tensors in the peers' published checkpoints, written down from facts.

Sources: torchvision's resnet50; timm's tf_mobilenetv3_{small,large}_minimal_100 with features only;
insightface's iresnet100; the programs of DECA, EMOCA, SMIRK and MICA. Nothing here looks at ours.
"""

Shapes = dict[str, tuple[int, ...]]


def norm(name: str, n: int) -> Shapes:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{v}": (n,) for v in vectors}, f"{name}.num_batches_tracked": ()}


def linear(name: str, n_in: int, n_out: int) -> Shapes:
    return {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}


def conv_norm(conv: str, bn: str, shape: tuple[int, ...]) -> Shapes:
    return {f"{conv}.weight": shape, **norm(bn, shape[0])}


def resnet50(lead: str) -> Shapes:
    shapes = conv_norm(f"{lead}conv1", f"{lead}bn1", (64, 3, 7, 7))
    n_in = 64
    for layer, (width, n_blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(n_blocks):
            at = f"{lead}layer{layer}.{block}."
            shapes |= conv_norm(f"{at}conv1", f"{at}bn1", (width, n_in, 1, 1))
            shapes |= conv_norm(f"{at}conv2", f"{at}bn2", (width, width, 3, 3))
            shapes |= conv_norm(f"{at}conv3", f"{at}bn3", (4 * width, width, 1, 1))
            if block == 0:
                down = f"{at}downsample."
                shapes |= conv_norm(f"{down}0", f"{down}1", (4 * width, n_in, 1, 1))
            n_in = 4 * width
    return shapes


def regressor(lead: str, n_out: int) -> Shapes:
    heads = linear(f"{lead}layers.0", 2048, 1024) | linear(f"{lead}layers.2", 1024, n_out)
    return resnet50(f"{lead}encoder.") | heads


# Of each inverted block: channels in, inside, out.
SMALL = (
    ((16, 72, 24), (24, 88, 24)),
    ((24, 96, 40), (40, 240, 40), (40, 240, 40)),
    ((40, 120, 48), (48, 144, 48)),
    ((48, 288, 96), (96, 576, 96), (96, 576, 96)),
)
LARGE = (
    ((16, 64, 24), (24, 72, 24)),
    ((24, 72, 40), (40, 120, 40), (40, 120, 40)),
    ((40, 240, 80), (80, 200, 80), (80, 184, 80), (80, 184, 80)),
    ((80, 480, 112), (112, 672, 112)),
    ((112, 672, 160), (160, 960, 160), (160, 960, 160)),
)


def mobilenet(lead: str, stages: tuple, n_features: int) -> Shapes:
    shapes = conv_norm(f"{lead}conv_stem", f"{lead}bn1", (16, 3, 3, 3))
    at = f"{lead}blocks.0.0."
    shapes |= conv_norm(f"{at}conv_dw", f"{at}bn1", (16, 1, 3, 3))
    shapes |= conv_norm(f"{at}conv_pw", f"{at}bn2", (16, 16, 1, 1))
    for stage, blocks in enumerate(stages, start=1):
        for block, (n_in, inside, n_out) in enumerate(blocks):
            at = f"{lead}blocks.{stage}.{block}."
            shapes |= conv_norm(f"{at}conv_pw", f"{at}bn1", (inside, n_in, 1, 1))
            shapes |= conv_norm(f"{at}conv_dw", f"{at}bn2", (inside, 1, 3, 3))
            shapes |= conv_norm(f"{at}conv_pwl", f"{at}bn3", (n_out, inside, 1, 1))
    at = f"{lead}blocks.{len(stages) + 1}.0."
    return shapes | conv_norm(f"{at}conv", f"{at}bn1", (n_features, stages[-1][-1][2], 1, 1))


def iresnet100(lead: str) -> Shapes:
    shapes = conv_norm(f"{lead}conv1", f"{lead}bn1", (64, 3, 3, 3)) | {f"{lead}prelu.weight": (64,)}
    n_in = 64
    for layer, (width, n_blocks) in enumerate(((64, 3), (128, 13), (256, 30), (512, 3)), start=1):
        for block in range(n_blocks):
            at = f"{lead}layer{layer}.{block}."
            shapes |= norm(f"{at}bn1", n_in)
            shapes |= conv_norm(f"{at}conv1", f"{at}bn2", (width, n_in, 3, 3))
            shapes |= {f"{at}prelu.weight": (width,)}
            shapes |= conv_norm(f"{at}conv2", f"{at}bn3", (width, width, 3, 3))
            if block == 0:
                down = f"{at}downsample."
                shapes |= conv_norm(f"{down}0", f"{down}1", (width, n_in, 1, 1))
            n_in = width
    last = linear(f"{lead}fc", 512 * 7 * 7, 512)
    return shapes | norm(f"{lead}bn2", 512) | last | norm(f"{lead}features", 512)


def deca_file() -> Shapes:
    """deca_model.tar: the coarse encoder, and two samples of what is of no use here."""
    detail = regressor("E_detail.", 128) | linear("D_detail.l1.0", 181, 128 * 8 * 8)
    return regressor("E_flame.", 236) | detail


def emoca_file() -> Shapes:
    """A Lightning checkpoint of EMOCA with a second encoder."""
    lead = "state_dict.deca."
    encoders = regressor(f"{lead}E_flame.", 236) | regressor(f"{lead}E_expression.", 53)
    return encoders | {f"{lead}flame.v_template": (5023, 3), f"{lead}render.faces": (1, 9976, 3)}


def emoca_two_heads_file() -> Shapes:
    """One of EMOCA with parallel heads: the shared encoder is in it twice."""
    lead = "state_dict.deca."
    shared = regressor(f"{lead}E_flame.", 236) | regressor(f"{lead}E_expression.resnet.", 236)
    head = linear(f"{lead}E_expression.layers.0", 2048, 1024)
    return shared | head | linear(f"{lead}E_expression.layers.2", 1024, 53)


def smirk_file() -> Shapes:
    """SMIRK_em1.pt: the encoder, and a sample of the generator."""
    lead = "smirk_encoder."
    return (
        mobilenet(f"{lead}pose_encoder.encoder.", SMALL, 576)
        | linear(f"{lead}pose_encoder.pose_cam_layers.0", 576, 6)
        | mobilenet(f"{lead}shape_encoder.encoder.", LARGE, 960)
        | linear(f"{lead}shape_encoder.shape_layers.0", 960, 300)
        | mobilenet(f"{lead}expression_encoder.encoder.", LARGE, 960)
        | linear(f"{lead}expression_encoder.expression_layers.0", 960, 55)
        | {"smirk_generator.conv.weight": (3, 32, 1, 1)}
    )


def mica_file() -> Shapes:
    """mica.tar: recogniser, regressor, and FLAME's own arrays."""
    shapes = iresnet100("arcface.")
    lead = "flameModel.regressor."
    for i, n_in in enumerate((512, 300, 300, 300)):
        shapes |= linear(f"{lead}network.{i}", n_in, 300)
    shapes |= linear(f"{lead}output", 300, 300)
    return shapes | {"flameModel.generator.v_template": (5023, 3)}


FILES = {
    "deca": deca_file,
    "emoca": emoca_file,
    "emoca-two-heads": emoca_two_heads_file,
    "smirk": smirk_file,
    "mica": mica_file,
}
"""By architecture."""
