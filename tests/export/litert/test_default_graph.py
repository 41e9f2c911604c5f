"""A file read without signatures, as by programs that name none: its first graph, and the shapes of its inputs."""

import importlib.resources
import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from seqzoo import models
from seqzoo.export import litert

FOLDER = importlib.resources.files("seqzoo.saved_models")


def run_first_graph(path, *inputs, strict=False):
    """The outputs of the first graph, by their names, given inputs in the order that it has them."""
    interpreter = Interpreter(str(path))
    for details, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.resize_tensor_input(details["index"], value.shape, strict=strict)
    interpreter.allocate_tensors()
    for details, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return {details["name"]: interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()}


def check_one_row_of_one_width(path, source):
    """Checks that the first graph takes a source, and neither two of them nor a wider one; returns its answer."""
    answer, error = run_first_graph(path, source, strict=True).values()
    assert error.tolist() == [0]
    for rows in (np.repeat(source, 2, axis=0), np.repeat(source, 2, axis=-1)):
        with pytest.raises(RuntimeError, match="failed to prepare"):
            run_first_graph(path, rows)
        with pytest.raises(RuntimeError, match="only allows mutating unknown dimensions"):
            run_first_graph(path, rows, strict=True)
    return answer


def check_any_number_of_rows(path):
    """Checks that the first graph takes three tokens, each with its states."""
    shapes = [details["shape_signature"].tolist() for details in Interpreter(str(path)).get_input_details()]
    inputs = [np.zeros([3, *shape[1:]], "int32" if len(shape) == 1 else "float32") for shape in shapes]
    assert {len(output) for output in run_first_graph(path, *inputs, strict=True).values()} == {3}


@pytest.mark.parametrize("name", models.presets())
def test_first_graph_of_what_ships(name, code_points, texts):
    """OpenVINO reads the first graph alone, and has no use for one whose number of rows is not known."""
    path, model = FOLDER / name / "model.tflite", models.from_preset(name)
    first, *_ = Interpreter(str(path)).get_signature_list()
    if model.task == "text":
        assert first == "serving_default"
        check_any_number_of_rows(path)
    elif model.task == "pictures":
        assert first == "batch_1"
        pixels = np.random.default_rng(0).integers(0, 256, (1, *model.preprocessor.source_shape), "uint8")
        answer = check_one_row_of_one_width(path, pixels.astype("float32") / 255)
        assert texts(answer) == model.generate(pixels)
    else:
        assert first == "batch_1"
        source = models.card(name)["examples"][-1]["source"]
        answer = check_one_row_of_one_width(path, code_points([source], model.preprocessor.source_length))
        assert texts(answer) == model.generate([source])


def test_inputs_are_listed_beside_the_file(sums, path, code_points, texts):
    inputs = json.loads(path.with_suffix(".tflite.json").read_text())["inputs"]
    source = [name for name, shapes in inputs.items() if list(shapes) == ["source"]]
    assert {name: inputs[name]["source"] for name in source} == {
        "batch_1": [1, 7], "encode": [1, 7], "serving_default": [-1, 7],
    }  # fmt: skip
    assert inputs["decode_step"] == {
        "context": [1, 24], "projected_0": [1, 96], "state_0_0": [1, 24], "state_0_1": [1, 24], "token": [1],
    }  # fmt: skip
    assert inputs["vocabulary"] == {}
    assert texts(check_one_row_of_one_width(path, code_points(["57+5"]))) == sums.generate(["57+5"])
    for name in source:
        with pytest.raises(RuntimeError, match="failed to prepare"):
            Interpreter(str(path)).get_signature_runner(name)(source=code_points(["57+5"], 8))


@pytest.mark.slow(minutes=1)
@pytest.mark.parametrize("quantize", ["float16", "dynamic_int8"])
def test_first_graph_of_quantised_files(sums, phones, writer, tmp_path, code_points, quantize):
    for model, source in ((sums, "57+5"), (phones, "chat")):
        report = litert(model, tmp_path / "model.tflite", quantize)
        check_one_row_of_one_width(report["path"], code_points([source], model.preprocessor.source_length))
    report = litert(writer, tmp_path / "model.tflite", quantize)
    assert report["inputs"]["serving_default"]["token"] == [-1]
    check_any_number_of_rows(report["path"])
