"""SavedModels run by other programs than ours: TensorFlow's own tool, a C program, TensorFlow Serving's messages."""

import itertools
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2

from seqzoo.models import Chain, Temperature, TopK


def test_request_and_reply_messages_carry_answers(sums, run, texts):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "sums"
    request.inputs["source"].CopyFrom(tf.make_tensor_proto(["57+5", "?"]))
    request = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    reply = predict_pb2.PredictResponse()
    for name, value in run("serving_default", source=tf.make_ndarray(request.inputs["source"])).items():
        reply.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    reply = predict_pb2.PredictResponse.FromString(reply.SerializeToString())
    assert texts(tf.make_ndarray(reply.outputs["answer"])) == [sums.generate("57+5"), ""]
    assert "the character '?'" in texts(tf.make_ndarray(reply.outputs["error"]))[1]
    assert reply.outputs["log_probability"].dtype == tf.float32.as_datatype_enum


@pytest.fixture(scope="module")
def requests(sums, writer, folder, text_folder, run, write, texts):
    """For each signature `(folder, inputs, replies)`; an input is a list, a reply what TensorFlow's loader gave.

    What texts there are among the replies are compared with the models' own.
    """
    sources, prompts = ["57+5", "628+521", "x", "1+1"], ["the", "m"]
    options = {"length": [9, 20], "temperature": [0.5, 2.0], "top_k": [3, 5], "seed": [7, 8]}
    samplers = Chain([Temperature(0.5), TopK(3)]), Chain([Temperature(2.0), TopK(5)])
    inputs = {
        "sums/serving_default": {"source": sources},
        "sums/ids": {"source": [[8, 10, 2, 8], [4, 2, 4, 0], [-1, 0, 0, 0]]},
        "sums/score": {"source": ["57+5", "1+1"], "target": ["62", "3"]},
        "text/serving_default": {"prompt": prompts},
        "text/sample": {"prompt": prompts, **options},
    }
    replies = {name: (run if name.startswith("sums") else write)(name.split("/")[1], **inputs[name]) for name in inputs}
    answers = sums.generate(["57+5", "628+521", "1+1"])
    assert texts(replies["sums/serving_default"]["answer"]) == [*answers[:2], "", answers[2]]
    of_ids = texts(sums.preprocessor.decode(replies["sums/ids"]["answer"]).numpy())
    assert of_ids == [answers[0], answers[2], ""]
    assert texts(replies["text/serving_default"]["text"]) == writer.generate(prompts)
    drawn = [writer.generate(prompts[i], options["length"][i], samplers[i], options["seed"][i]) for i in (0, 1)]
    assert texts(replies["text/sample"]["text"]) == drawn
    folders = {"sums": folder, "text": text_folder}
    return {name: (folders[name.split("/")[0]], inputs[name], replies[name]) for name in inputs}


# `saved_model_cli`, several commands in one process.
CLI = """
import contextlib, json, sys
from tensorflow.python.tools.saved_model_cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["saved_model_cli", *arguments]
    with contextlib.suppress(SystemExit):
        main()
"""


@pytest.mark.slow(minutes=1)
def test_saved_model_cli_runs_every_signature(requests, tmp_path):
    commands = []
    for signature, (folder, inputs, _) in requests.items():
        command = ["run", "--dir", str(folder), "--tag_set", "serve", "--signature_def", signature.split("/")[1]]
        expressions = ";".join(f"{name}={value!r}" for name, value in inputs.items())
        commands.append([*command, "--input_exprs", expressions, "--outdir", str(tmp_path / signature)])
    subprocess.run([sys.executable, "-c", CLI, json.dumps(commands)], check=True, capture_output=True)
    for signature, (_, _, replies) in requests.items():
        for name, expected in replies.items():
            value = np.load(tmp_path / signature / f"{name}.npy", allow_pickle=True)  # Our own, of a moment ago.
            if expected.dtype == "float32":
                np.testing.assert_allclose(value, expected, atol=1e-5)
            else:
                assert value.tolist() == expected.tolist()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc")
def test_c_program_runs_every_signature(requests, tmp_path):
    program, library = tmp_path / "ask", pathlib.Path(tf.sysconfig.get_lib())
    include = next(flag for flag in tf.sysconfig.get_compile_flags() if flag.startswith("-I"))
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{library}"]
    source = pathlib.Path(__file__).with_name("ask.c")
    subprocess.run(["cc", source, "-o", program, include, f"-L{library}", *libraries], check=True)
    for signature, (folder, inputs, replies) in requests.items():
        _check_c_program(program, folder, signature.split("/")[1], inputs, replies)


def _check_c_program(program, folder, signature, inputs, replies):
    graphs = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs
    tensors = graphs[0].signature_def[signature]
    rows = len(next(iter(inputs.values())))
    command = [program, folder, rows, len(inputs), len(replies)]
    for name, value in inputs.items():
        width = np.shape(value)[1] if np.ndim(value) == 2 else 0
        command += [tensors.inputs[name].name.split(":")[0], width, *np.ravel(value).tolist()]
    for name in replies:
        command += tensors.outputs[name].name.split(":")
    output = subprocess.run(list(map(str, command)), check=True, capture_output=True, encoding="utf-8").stdout
    for row in itertools.chain(*replies.values()):
        if isinstance(row, bytes):  # A text may have several lines.
            assert output.startswith(row.decode() + "\n")
            output = output.removeprefix(row.decode() + "\n")
        else:
            line, _, output = output.partition("\n")
            np.testing.assert_allclose(np.array(line.split(), "float64"), row, atol=1e-5)
    assert output == ""
