"""What holds of models in each of the two runtimes. `test_inference_runtimes` runs this file in the other one's own
environment too, so it needs nothing but what a node has, and pytest."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from flatbuffers_made import Numbers, Scalar, flatbuffer
from made_models import (
    FLOAT32,
    INT8,
    INT16,
    LOG_SOFTMAX,
    LOGISTIC,
    PEOPLE,
    SOFTMAX,
    UINT8,
    fixed_detections,
    mean_colour,
)

from drivers.camera.scenes.ceiling import Shop, ceiling_scene
from drivers.frames import Frame
from edge.vision.inference.classifier import Classifier
from edge.vision.inference.errors import ModelError
from edge.vision.inference.model import Model
from edge.vision.inference.open import open_classifier, open_detector
from edge.vision.inference.pictures import Box
from edge.vision.inference.runtime import find_runtime
from edge.vision.inference.shipped import PRODUCTS
from edge.vision.inference.trial import try_model
from firmware_bridge.errors import ShelfedgeError
from hil.product_crops import FAMILIES, LABELS, crops
from hil.products import judged, score

COLOURS = ("red", "green", "blue")
TF2 = ("PartitionedCall:3", "PartitionedCall:2", "PartitionedCall:1", "PartitionedCall:0")
TF1 = ("TFLite_Detection_PostProcess", *(f"TFLite_Detection_PostProcess:{k}" for k in (1, 2, 3)))


def written(folder: Path, content: bytes, labels: tuple[str, ...] = ()) -> Path:
    """A model file, with its labels beside it."""
    path = folder / "model.tflite"
    path.write_bytes(content)
    if labels:
        path.with_suffix(".txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    return path


def even(red: int, green: int, blue: int, side: int = 8) -> np.ndarray:
    """A picture of one colour."""
    return np.full((side, side, 3), (red, green, blue), np.uint8)


def grey_frame(height: int = 64, width: int = 96) -> Frame:
    return Frame("test", 0, 0, np.full((height, width), 128, np.uint8))


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models made here, of which there are many, aren't tried in a process of their own first."""
    monkeypatch.setattr("edge.vision.inference.model.try_model", lambda path, content, module: None)


def test_the_runtime_is_the_one_that_is_meant() -> None:
    name = find_runtime().name
    assert name == os.environ.get("RUNTIME_MEANT", name)


def test_the_shipped_classifier_knows_the_rendered_products_and_how_sure_it_is() -> None:
    classifier = open_classifier()
    assert classifier.labels == LABELS
    made = score(*judged(classifier, FAMILIES["as installed"], 31, 3))
    assert made.right > 0.93
    assert abs(made.sure - made.right) < 0.04


def test_log_probabilities_add_up_to_one() -> None:
    classifier = open_classifier()
    crop = next(crops(FAMILIES["all of it"], 77, 1))
    logs = classifier.look(crop.frame, crop.box)
    assert logs.shape == (len(LABELS),)
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-12)
    assert (classifier.look(crop.frame, crop.box) == logs).all()


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize("kind", [FLOAT32, UINT8, INT8], ids=["float32", "uint8", "int8"])
@pytest.mark.parametrize("last", [0, SOFTMAX, LOGISTIC], ids=["logits", "softmax", "sigmoids"])
def test_each_kind_of_output_becomes_log_probabilities(tmp_path: Path, kind: int, last: int) -> None:
    """The same ones each time: a sigmoid's odds are exp of what it was given."""
    quantised = {FLOAT32: (0.0, 0), UINT8: (1 / 255, 0), INT8: (1 / 255, -128)}[kind]
    path = written(tmp_path, mean_colour(last, kind, *quantised), COLOURS)
    model = Model(path, pixel_range=(0.0, 1.0))
    logs = Classifier(model, COLOURS).judge(even(255, 51, 0))
    step = 0.0 if kind == FLOAT32 else 1 / 256
    means = np.array([1.0, 0.2, 0.0])
    np.testing.assert_allclose(logs, means - np.log(np.exp(means).sum()), atol=1e-5 + 5 * step)


@pytest.mark.usefixtures("untried")
def test_log_probabilities_of_a_model_are_taken_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, mean_colour(LOG_SOFTMAX), COLOURS)
    logs = Classifier(Model(path, pixel_range=(0.0, 4.0)), COLOURS).judge(even(255, 0, 0))
    np.testing.assert_allclose(np.exp(logs), np.exp([4.0, 0.0, 0.0]) / (np.exp(4.0) + 2.0), atol=1e-5)


@pytest.mark.usefixtures("untried")
def test_a_probability_of_nothing_is_only_less_than_half_a_step(tmp_path: Path) -> None:
    path = written(tmp_path, mean_colour(SOFTMAX, UINT8, 255 / 255, 0), COLOURS)
    logs = Classifier(Model(path), COLOURS).judge(even(255, 0, 0))
    assert logs[1] == pytest.approx(np.log(0.5 / 256), abs=0.02)


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(("scale", "zero", "black", "white"), [(1 / 255, 0, 0.0, 1.0), (2 / 255, 128, -1.0, 1.0)])
def test_a_quantised_input_tells_by_itself_what_white_is(
    tmp_path: Path, scale: float, zero: int, black: float, white: float
) -> None:
    model = Model(written(tmp_path, mean_colour(0, UINT8, scale, zero)))
    np.testing.assert_allclose(model.infer(even(255, 0, 128))[0][0, :2], [white, black], atol=1.01 * scale)


@pytest.mark.usefixtures("untried")
def test_a_floating_point_input_is_as_the_file_says_else_minus_one_to_one(tmp_path: Path) -> None:
    plain = Model(written(tmp_path, mean_colour()))
    np.testing.assert_allclose(plain.infer(even(255, 0, 51))[0][0], [1.0, -1.0, -0.6], atol=1e-6)
    unit = {0: Scalar("<B", 1), 1: {0: Numbers("<f", [0.0, 10.0, 0.0]), 1: Numbers("<f", [255.0, 1.0, 51.0])}}
    metadata = flatbuffer({3: [{2: [{4: [unit]}]}]}, b"M001")
    told = Model(written(tmp_path, mean_colour(metadata=metadata)))
    np.testing.assert_allclose(told.infer(even(255, 10, 51))[0][0], [1.0, 0.0, 1.0], atol=1e-6)


@pytest.mark.usefixtures("untried")
def test_a_grey_model_gets_luma(tmp_path: Path) -> None:
    model = Model(written(tmp_path, mean_colour(channels=1)), pixel_range=(0.0, 255.0))
    assert model.infer(np.full((8, 8, 1), 77, np.uint8))[0][0, 0] == pytest.approx(77.0)


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(
    ("order", "names", "builtin"),
    [
        ((0, 1, 2, 3), TF1, True),
        ((2, 0, 3, 1), TF2, True),
        ((3, 2, 1, 0), TF2, True),
        ((2, 0, 3, 1), TF1, False),
        ((1, 3, 0, 2), ("boxes", "classes", "scores", "count"), False),
    ],
)
def test_detections_are_found_in_any_order_of_the_outputs(
    tmp_path: Path, order: tuple[int, ...], names: tuple[str, ...], builtin: bool
) -> None:
    detector = open_detector(written(tmp_path, fixed_detections(order, names, builtin)))
    surest, other = detector.look(grey_frame(100, 200))
    assert surest.score == pytest.approx(0.8)
    assert tuple(surest.box) == pytest.approx((20.0, 20.0, 40.0, 40.0), abs=0.01)
    assert other.score == pytest.approx(0.4)
    assert tuple(other.box) == pytest.approx((120.0, 50.0, 40.0, 40.0), abs=0.01)


@pytest.mark.usefixtures("untried")
def test_people_are_found_by_name_and_other_classes_are_not_people(tmp_path: Path) -> None:
    path = written(tmp_path, fixed_detections((0, 1, 2, 3), TF2), ("???", "person"))
    assert len(open_detector(path).look(grey_frame())) == 2  # the first line of such files stands for no class
    path.with_suffix(".txt").write_text("bicycle\nperson\n", encoding="utf-8")
    assert open_detector(path).look(grey_frame()) == []
    assert len(open_detector(path, person="Bicycle").look(grey_frame())) == 2


@pytest.mark.usefixtures("untried")
def test_a_picture_that_keeps_its_shape_gives_boxes_of_the_frame(tmp_path: Path) -> None:
    path = written(tmp_path, fixed_detections((0, 1, 2, 3), TF2))
    first = open_detector(path, keep_shape=True).look(grey_frame(100, 200))[0]
    # 32 x 32 holds 32 x 16 of it, from row 8 on: 0.2 to 0.6 of the picture is -0.1 to 0.7 of the frame
    assert tuple(first.box) == pytest.approx((20.0, 0.0, 40.0, 70.0), abs=0.01)


def test_a_trained_detector_finds_rendered_people_and_nobody_in_an_empty_shop() -> None:
    detector = open_detector(PEOPLE)
    found, wanted = 0, 0
    for seen in ceiling_scene(Shop(width=160, height=120, rate_hz=1.0, people=2), 91, 12.0):
        boxes = [detection.box for detection in detector.look(seen.frame)]
        for box in seen.boxes:
            wanted += 1
            x, y = box[0] + 0.5 * box[2], box[1] + 0.5 * box[3]
            found += any(b.left < x < b.left + b.width and b.top < y < b.top + b.height for b in boxes)
    assert wanted >= 8
    assert found >= 0.8 * wanted
    empty = ceiling_scene(Shop(width=160, height=120, rate_hz=1.0, people=0), 92, 5.0)
    assert not any(detector.look(seen.frame) for seen in empty)


def bad_models(folder: Path) -> dict[str, tuple[Path, str]]:
    """What can be wrong, and words that the error must have."""
    good = PRODUCTS.read_bytes()
    contents = {
        "empty": (b"", "not a TFLite model"),
        "text": (b"<html>404 not found</html>", "not a TFLite model"),
        "of another kind": (good[:4] + b"ONNX" + good[8:], "not a TFLite model"),
        "cut short": (good[: len(good) // 2], "damaged"),
        "four channels": (mean_colour(channels=4), "expected a picture"),
        "a list": (mean_colour(shape=(1, 8, 8)), "expected a picture"),
        "two pictures": (mean_colour(shape=(2, 8, 8, 3)), "expected a picture"),
        "tiny": (mean_colour(side=4), "8 to 2048"),
        "any size": (mean_colour(shape=(1, 1, 1, 3), signature=(1, -1, -1, 3)), "fixed size"),
        "sixteen bits": (mean_colour(kind=INT16, scale=1 / 32768), "uint8, int8 or float32"),
    }
    made = {}
    for name, (content, words) in contents.items():
        path = folder / f"{name}.tflite"
        path.write_bytes(content)
        path.with_suffix(".txt").write_text("\n".join(COLOURS) + "\n", encoding="utf-8")
        made[name] = path, words
    return made | {"missing": (folder / "missing.tflite", "no such file"), "a folder": (folder, "a folder")}


def test_a_model_that_cannot_be_used_is_one_kind_of_error_with_the_reason(tmp_path: Path) -> None:
    for name, (path, words) in bad_models(tmp_path).items():
        with pytest.raises(ModelError, match=words) as refused:
            open_classifier(path)
        assert isinstance(refused.value, ShelfedgeError), name
        assert str(path) in str(refused.value), name
        assert "\n" not in str(refused.value), name


@pytest.mark.usefixtures("untried")
def test_labels_must_fit_the_classes(tmp_path: Path) -> None:
    path = written(tmp_path, mean_colour(SOFTMAX), ("red", "green"))
    with pytest.raises(ModelError, match="knows 3 classes, and there are 2 labels"):
        open_classifier(path)
    for text, words in ((b"", "no labels in it"), (b"\xff\xfe\x00", "UTF-8"), (b"red\nred\nblue\n", "twice")):
        path.with_suffix(".txt").write_bytes(text)
        with pytest.raises(ModelError, match=words):
            open_classifier(path)
    path.with_suffix(".txt").unlink()
    with pytest.raises(ModelError, match="name a labels file"):
        open_classifier(path)
    with pytest.raises(ModelError, match="can't read the labels"):
        open_classifier(path, tmp_path / "none.txt")
    detector = written(tmp_path, fixed_detections((0, 1, 2, 3), TF2), ("a", "b", "c", "d"))
    with pytest.raises(ModelError, match="there are 4 labels"):
        open_detector(detector)
    detector.with_suffix(".txt").write_text("cat\ndog\n", encoding="utf-8")
    with pytest.raises(ModelError, match='none of its 2 labels is "person"'):
        open_detector(detector)


def test_a_classifier_is_no_detector_and_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a detector"):
        open_detector(PRODUCTS)
    with pytest.raises(ModelError, match="4 outputs"):
        open_classifier(written(tmp_path, PEOPLE.read_bytes(), COLOURS))


def test_a_file_that_crashes_the_runtime_does_not_end_the_node() -> None:
    module = find_runtime().interpreter.__module__
    good = PRODUCTS.read_bytes()
    for length in (40, 3000, len(good) - 900):  # tflite-runtime follows offsets beyond the end
        with pytest.raises(ModelError, match=r"damaged|can't run it"):
            try_model(PRODUCTS, good[:length], module)


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    open_classifier().look(grey_frame(), Box(3.0, 3.0, 30.0, 40.0))
    assert capfd.readouterr() == ("", "")
