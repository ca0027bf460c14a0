"""Runs exported networks with Python's TensorFlow, ONNX Runtime and torchvision, and prints how far they are from what
was expected. Each subfolder of the folder given holds one network: what to feed, what should come out, the files.

Prints one line of JSON a network and format. Modules that are not installed are left out.
"""

import importlib.util
import json
import os
import pathlib
import sys
from collections import OrderedDict

import numpy

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def has(module):
    return importlib.util.find_spec(module) is not None


def run_saved_model(path, feed):
    import tensorflow

    signature = tensorflow.saved_model.load(str(path)).signatures["serving_default"]
    return signature(pixels=tensorflow.constant(feed))["probabilities"].numpy()


def run_onnx(path, feed):
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["probabilities"], {"pixels": feed})[0]


def run_torchvision(path, feed, model):
    import torch
    import torchvision
    from safetensors.torch import load_file

    weights = load_file(str(path))
    classes = list(weights.values())[-1].shape[0]
    more = {"init_weights": False, "aux_logits": False} if model in ("googlenet", "inception_v3") else {}
    network = getattr(torchvision.models, model)(num_classes=classes, **more)
    state = OrderedDict((name, value.float()) for name, value in weights.items())
    # MNASNet wants to be told which of its two versions it gets.
    state._metadata = {"": {"version": 2}}
    missing = network.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all("num_batches" in key for key in missing.missing_keys), missing
    network.eval()
    with torch.no_grad():
        return network(torch.from_numpy(feed)).softmax(1).numpy()


def check(folder):
    about = json.loads((folder / "case.json").read_text())
    bytes_in = numpy.fromfile(folder / "bytes.bin", numpy.uint8).reshape(about["shape"])
    floats_in = numpy.fromfile(folder / "floats.bin", numpy.float32).reshape(about["shape"])
    expected = numpy.fromfile(folder / "expected.bin", numpy.float32).reshape(len(bytes_in), -1)
    first = numpy.ascontiguousarray(floats_in.transpose(0, 3, 1, 2))
    runs = {
        "savedmodel bytes": ("tensorflow", lambda: run_saved_model(folder / "savedmodel-bytes", bytes_in)),
        "savedmodel floats": ("tensorflow", lambda: run_saved_model(folder / "savedmodel-floats", floats_in)),
        "onnx bytes": ("onnxruntime", lambda: run_onnx(folder / "bytes.onnx", bytes_in)),
        "onnx floats": ("onnxruntime", lambda: run_onnx(folder / "floats.onnx", first)),
        "onnx float16": ("onnxruntime", lambda: run_onnx(folder / "float16.onnx", bytes_in)),
        "safetensors": ("torchvision", lambda: run_torchvision(folder / "model.safetensors", first, about["model"])),
    }
    for name, (module, run) in runs.items():
        if not has(module) or (name == "safetensors" and "lite" in about["model"]):
            continue
        line = {"model": about["model"], "format": name}
        try:
            line["difference"] = float(abs(run() - expected).max())
        except Exception as error:  # Told to the caller, which fails.
            line["error"] = f"{type(error).__name__}: {error}"[:2000]
        print(json.dumps(line), flush=True)


for subfolder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    check(subfolder)
