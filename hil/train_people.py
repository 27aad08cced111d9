"""Trains a small person detector on rendered ceiling scenes, with the standard SSD post-processing, as an int8 model.

python -m hil.train_people OUT.tflite [--scenes 60] [--rounds 20]: needs TensorFlow (pip install tensorflow-cpu); a
minute or two on one core. The tests run it in both runtimes; it isn't shipped: people who only look like rendered ones
aren't a reason to install a detector. It knows people from floors, and other things that move hardly at all.

One box per cell of a coarse grid, as a single-shot detector with one anchor each (Liu et al. 2016, "SSD"); a cell whose
middle lies in the inner half of somebody's box answers for that person. Losses: focal (Lin et al. 2017), smooth L1.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from edge.vision.inference.pictures import whole_picture

Floats = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

HEIGHT, WIDTH, CELL = 96, 128, 8
ROWS, COLUMNS = HEIGHT // CELL, WIDTH // CELL
ANCHOR = 0.35, 0.22  # height and width, by the picture's
SCALES = (10.0, 10.0, 5.0, 5.0)  # of y, x, height, width: what every SSD has
MOST_FOUND = 10
INNER = 0.5
SEED = 501


def anchors() -> Floats:
    """float32[cells, 4]: middle y and x, height, width, by the picture's."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    sides = np.broadcast_to(np.array(ANCHOR), (ROWS * COLUMNS, 2))
    middles = np.stack([(y.ravel() + 0.5) / ROWS, (x.ravel() + 0.5) / COLUMNS], axis=1)
    return np.concatenate([middles, sides], axis=1).astype(np.float32)


def rendered(scenes: int, seed: int) -> tuple[U8, Floats]:
    """Pictures uint8[n, HEIGHT, WIDTH, 3] and for each cell float32[n, cells, 5]: somebody, and the box as encoded."""
    rng = np.random.default_rng(seed)
    pictures, truth = [], []
    for number in range(scenes):
        shop = Shop(
            width=160,
            height=120,
            rate_hz=1.0,
            people=int(rng.integers(1, 6)),
            height_m=float(rng.uniform(3.0, 4.5)),
            tilt_deg=float(rng.uniform(0.0, 40.0)),
            noise=float(rng.uniform(0.0, 4.0)),
        )
        for seen in ceiling_scene(shop, seed + number, 25.0):
            pictures.append(whole_picture(seen.frame, HEIGHT, WIDTH, 3, False)[0])
            truth.append(_encoded(np.asarray(seen.boxes, np.float64) / [160.0, 120.0, 160.0, 120.0]))
    return np.array(pictures), np.array(truth)


def _encoded(boxes: npt.NDArray[np.float64]) -> Floats:
    """``boxes``: left, top, width, height, by the picture's."""
    cells = anchors()
    out = np.zeros((len(cells), 5), np.float32)
    nearest = np.full(len(cells), np.inf)
    for left, top, wide, high in boxes:
        x, y = left + 0.5 * wide, top + 0.5 * high
        inside = (np.abs(cells[:, 1] - x) < 0.5 * INNER * wide) & (np.abs(cells[:, 0] - y) < 0.5 * INNER * high)
        away = np.hypot(cells[:, 1] - x, cells[:, 0] - y)
        mine = inside & (away < nearest)
        nearest[mine] = away[mine]
        out[mine, 0] = 1.0
        out[mine, 1] = (y - cells[mine, 0]) / ANCHOR[0] * SCALES[0]
        out[mine, 2] = (x - cells[mine, 1]) / ANCHOR[1] * SCALES[1]
        out[mine, 3] = np.log(high / ANCHOR[0]) * SCALES[2]
        out[mine, 4] = np.log(wide / ANCHOR[1]) * SCALES[3]
    return out


def _network(tf: Any) -> Any:
    layers = tf.keras.layers
    picture = tf.keras.Input((HEIGHT, WIDTH, 3))
    x = picture
    for channels, stride in ((16, 2), (24, 2), (32, 2), (32, 1), (32, 1)):
        x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(5, 1, bias_initializer=tf.constant_initializer([-3.0, 0.0, 0.0, 0.0, 0.0]))(x)
    return tf.keras.Model(picture, layers.Reshape((ROWS * COLUMNS, 5))(x))


def _train(tf: Any, pictures: U8, truth: Floats, rounds: int) -> Any:
    model = _network(tf)

    def loss(wanted: Any, given: Any) -> Any:
        somebody = wanted[..., 0]
        shared = {"from_logits": True, "apply_class_balancing": True, "alpha": 0.75}
        sure = tf.keras.losses.BinaryFocalCrossentropy(**shared, reduction="none")(somebody[..., None], given[..., :1])
        away = tf.abs(wanted[..., 1:] - given[..., 1:])
        smooth = tf.where(away < 1.0, 0.5 * away * away, away - 0.5)
        people = tf.maximum(tf.reduce_sum(somebody), 1.0)
        return (4.0 * tf.reduce_sum(sure) + 0.2 * tf.reduce_sum(somebody[..., None] * smooth)) / people

    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, rounds * -(-len(pictures) // 32))
    model.compile(tf.keras.optimizers.Adam(rate), loss)
    model.fit(pictures.astype(np.float32) / 127.5 - 1.0, truth, batch_size=32, epochs=rounds, verbose=2)
    return model


def _with_post_processing(tf: Any, network: Any) -> Any:
    """A function of a picture that ends in the operator, as TensorFlow's own exporter marks it."""
    marks = {
        "max_detections": f"i: {MOST_FOUND}",
        "max_classes_per_detection": "i: 1",
        "use_regular_nms": "b: false",
        "nms_score_threshold": "f: 0.1",
        "nms_iou_threshold": "f: 0.5",
        "y_scale": f"f: {SCALES[0]}",
        "x_scale": f"f: {SCALES[1]}",
        "h_scale": f"f: {SCALES[2]}",
        "w_scale": f"f: {SCALES[3]}",
        "num_classes": "i: 1",
    }
    told = " ".join(f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in marks.items())

    @tf.function(experimental_implements=f'name: "TFLite_Detection_PostProcess" {told}')  # type: ignore[untyped-decorator]
    def post_process(boxes: Any, classes: Any, cells: Any) -> Any:
        del boxes, classes, cells
        return (
            tf.zeros((1, MOST_FOUND, 4)),
            tf.zeros((1, MOST_FOUND)),
            tf.zeros((1, MOST_FOUND)),
            tf.zeros((1,)),
        )

    @tf.function(input_signature=[tf.TensorSpec((1, HEIGHT, WIDTH, 3), tf.float32)])  # type: ignore[untyped-decorator]
    def detect(picture: Any) -> Any:
        raw = network(picture)
        sure = tf.sigmoid(raw[..., :1])
        classes = tf.concat([1.0 - sure, sure], axis=-1)
        return post_process(raw[..., 1:], classes, tf.constant(anchors()))[::-1]

    return detect


def _as_int8(tf: Any, model: Any, pictures: U8) -> bytes:
    module = tf.Module()
    module.detect = _with_post_processing(tf, _frozen(tf, model))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.detect.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.allow_custom_ops = True
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        few = pictures[:: max(len(pictures) // 200, 1)].astype(np.float32) / 127.5 - 1.0
        few[0, :2], few[0, 2:4] = -1.0, 1.0  # the whole range of pixels
        converter.representative_dataset = lambda: ([picture[None]] for picture in few)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.inference_input_type = tf.uint8
        return bytes(converter.convert())


def _frozen(tf: Any, model: Any) -> Any:
    """The network with its weights as constants, normalisation folded in: the converter can't calibrate variables."""
    steps = []
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Conv2D):
            weights = layer.get_weights()
            steps.append([weights[0], weights[1] if len(weights) > 1 else 0.0, layer.strides[0], False])
        elif isinstance(layer, tf.keras.layers.BatchNormalization):
            gain, shift, mean, variance = layer.get_weights()
            gain = gain / np.sqrt(variance + layer.epsilon)
            steps[-1][:2] = [steps[-1][0] * gain, shift - mean * gain]
            steps[-1][3] = True

    def run(picture: Any) -> Any:
        x = picture
        for kernel, bias, stride, limited in steps:
            x = tf.nn.conv2d(x, tf.constant(kernel, tf.float32), stride, "SAME") + tf.constant(bias, tf.float32)
            x = tf.nn.relu6(x) if limited else x
        return tf.reshape(x, (1, ROWS * COLUMNS, 5))

    return run


def main() -> int:
    """Writes the model."""
    parser = argparse.ArgumentParser(prog="python -m hil.train_people", description="train a small person detector")
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    write = sys.stdout.write
    try:
        tf: Any = importlib.import_module("tensorflow")
    except ImportError:
        write("error: training needs TensorFlow; install it into a virtual environment: pip install tensorflow-cpu\n")
        return 1
    tf.keras.utils.set_random_seed(SEED)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    pictures, truth = rendered(chosen.scenes, SEED)
    model = _train(tf, pictures, truth, chosen.rounds)
    chosen.out.write_bytes(_as_int8(tf, model, pictures))
    write(f"{len(pictures)} pictures; {chosen.out}: {chosen.out.stat().st_size / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
