"""Trains the item classifier that comes with shelfedge, on rendered product crops, and writes it as an int8 model.

python -m hil.train_products [--each 600] [--rounds 20] [--out FOLDER]: needs TensorFlow (pip install tensorflow-cpu;
1.6 GB), which nothing else here needs; some four minutes on one core. Writes products.tflite and products.txt where
they are looked for. `python -m hil.products` then says how good they are.

The outputs are logits. They are divided by one temperature (Guo et al. 2017, "On calibration of modern neural
networks"), which is fitted on crops that the weights have never seen, so that their softmax is a probability; the
decoder uses it as a likelihood.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.vision.inference.pictures import picture_of
from edge.vision.inference.shipped import PRODUCTS, PRODUCTS_LABELS
from hil.product_crops import CALIBRATION, LABELS, MIXED, TRAINING, Conditions, crops

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 48, 32
CALIBRATION_EACH = 80
TEMPERATURES = np.geomspace(0.3, 4.0, 200)


def pictures_and_labels(conditions: Conditions, seed: int, each: int) -> tuple[U8, Ints]:
    """uint8[n, HEIGHT, WIDTH, 3] and int64[n]."""
    pictures, labels = [], []
    for crop in crops(conditions, seed, each):
        pictures.append(picture_of(crop.frame, crop.box, HEIGHT, WIDTH))
        labels.append(crop.label)
    return np.array(pictures), np.array(labels, np.int64)


def best_temperature(logits: Floats, labels: Ints) -> float:
    """The one that makes the right labels likeliest."""

    def cost(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        right = scaled[np.arange(len(labels)), labels]
        return float((np.log(np.exp(scaled).sum(axis=1)) - right).mean())

    return float(min(TEMPERATURES, key=cost))


def _network(tf: Any) -> Any:
    layers = tf.keras.layers

    def step(x: Any, channels: int, stride: int) -> Any:
        x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU(6.0)(x)
        x = layers.Conv2D(channels, 1, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU(6.0)(x)

    picture = tf.keras.Input((HEIGHT, WIDTH, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(picture)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    for channels, stride in ((24, 1), (32, 2), (32, 1), (48, 2)):
        x = step(x, channels, stride)
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return tf.keras.Model(picture, layers.Dense(len(LABELS))(x))


def _train(tf: Any, pictures: U8, labels: Ints, rounds: int) -> Any:
    model = _network(tf)
    inputs = np.concatenate([pictures, pictures[:, :, ::-1]]).astype(np.float32) / 255.0  # fronts are symmetric
    truth = np.concatenate([labels, labels])
    steps = rounds * -(-len(inputs) // 64)
    rate = tf.keras.optimizers.schedules.CosineDecay(3e-3, steps)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(inputs, truth, batch_size=64, epochs=rounds, verbose=2)
    return model


def _as_int8(tf: Any, model: Any, pictures: U8) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    few = pictures[:: max(len(pictures) // 300, 1)].astype(np.float32) / 255.0
    few[0, :2], few[0, 2:4] = 0.0, 1.0  # the whole range of pixels
    converter.representative_dataset = lambda: ([picture[None]] for picture in few)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def main() -> int:
    """Writes both files."""
    parser = argparse.ArgumentParser(prog="python -m hil.train_products", description="train the shipped classifier")
    parser.add_argument("--each", type=int, default=600, help="crops of every label")
    parser.add_argument("--rounds", type=int, default=20, help="through all crops")
    parser.add_argument("--out", type=Path, default=PRODUCTS.parent, help="folder for the model and its labels")
    chosen = parser.parse_args()
    write = sys.stdout.write
    try:
        tf: Any = importlib.import_module("tensorflow")
    except ImportError:
        write("error: training needs TensorFlow; install it into a virtual environment: pip install tensorflow-cpu\n")
        return 1
    tf.keras.utils.set_random_seed(TRAINING)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    model = _train(tf, *pictures_and_labels(MIXED, TRAINING, chosen.each), chosen.rounds)
    pictures, labels = pictures_and_labels(MIXED, CALIBRATION, CALIBRATION_EACH)
    temperature = best_temperature(model.predict(pictures.astype(np.float32) / 255.0, verbose=0), labels)
    last = model.layers[-1]
    last.set_weights([weight / temperature for weight in last.get_weights()])
    made = _as_int8(tf, model, pictures)
    (chosen.out / PRODUCTS.name).write_bytes(made)
    (chosen.out / PRODUCTS_LABELS.name).write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    write(f"temperature {temperature:.2f}; {chosen.out / PRODUCTS.name}: {len(made) / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
