"""Writes torchvision.json: what torchvision's (for efficientnet_lite*, timm's) models hold. See structure.test.ts.

Usage: python make-torchvision.py < torchvision.json > new.json, which renews the entries of the models that the file
names and of those given as arguments. Needs torch, torchvision and timm.
"""

import hashlib
import json
import sys

import timm
import torch
import torchvision


def make(name, classes):
    if name.startswith("efficientnet_lite"):
        return timm.create_model(f"tf_{name}", num_classes=classes)
    plain = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return getattr(torchvision.models, name)(weights=None, num_classes=classes, **plain)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def facts(name):
    # RegNets are computed with tensors, which must have values.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        imagenet_params = count(make(name, 1000))
        five = make(name, 5)
    tensors = {key: value for key, value in five.state_dict().items() if not key.endswith("num_batches_tracked")}
    lines = [f"{key}:{','.join(map(str, value.shape))}" for key, value in tensors.items()]
    sha256 = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {
        "imagenetParams": imagenet_params,
        "fiveClasses": {"params": count(five), "tensors": len(tensors), "sha256": sha256},
    }


names = dict.fromkeys([*json.load(sys.stdin), *sys.argv[1:]])
json.dump({name: facts(name) for name in names}, sys.stdout, indent=2)
print()
