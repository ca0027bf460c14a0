"""Writes torch-figures.json: what PyTorch makes of the losses and optimizers that the tests in this folder repeat.

    python make-figures.py > torch-figures.json, and format it

All in float64, from numbers that both sides compute by the same formulas.
"""

import json

import torch
from torch.nn.functional import cross_entropy, one_hot

torch.set_default_dtype(torch.float64)
CLASSES = 4
CLASS_WEIGHTS = torch.tensor([0.5, 2.0, 1.25, 0.75])


def rounded(tensor):
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def soft_targets(labels, smoothing, share):
    smoothed = one_hot(labels, CLASSES) * (1 - smoothing) + smoothing / CLASSES
    return share * smoothed + (1 - share) * smoothed.flip(0)


def loss_of(logits, labels, smoothing=0.0, weighted=False, share=None):
    weight = CLASS_WEIGHTS if weighted else None
    if share is None:
        return cross_entropy(logits, labels, weight=weight, label_smoothing=smoothing)
    return cross_entropy(logits, soft_targets(labels, smoothing, share), weight=weight)


LOGITS = torch.tensor([[1.5, -0.25, 0.75, -2.0], [0.1, 2.2, -1.3, 0.4], [-0.6, 0.9, 3.1, -0.2]])
LABELS = torch.tensor([2, 1, 0])


def loss_figure(rows, **options):
    logits = LOGITS[:rows].clone().requires_grad_()
    loss = loss_of(logits, LABELS[:rows], **options)
    loss.backward()
    return {"rows": rows, **options, "loss": float(f"{loss.item():.9g}"), "gradient": rounded(logits.grad)}


losses = [
    loss_figure(rows, **smoothing, **weighted, **share)
    for rows in (3, 2, 1)
    for smoothing in ({}, {"smoothing": 0.1})
    for weighted in ({}, {"weighted": True})
    for share in ({}, {"share": 0.35})
]


def numbers(count, factor, shift):
    return torch.tensor([((i * factor + shift) % 17 - 8) / 16 for i in range(count)])


def network():
    """body: 12 -> 3, sigmoid, head: 3 -> 4."""
    return {
        "body.weight": numbers(36, 7, 3).reshape(3, 12).requires_grad_(),
        "body.bias": numbers(3, 5, 1).requires_grad_(),
        "fc.weight": numbers(12, 11, 2).reshape(4, 3).requires_grad_(),
        "fc.bias": numbers(4, 3, 9).requires_grad_(),
    }


def batch(step):
    """The last image of an odd batch is mixed with itself."""
    images = 5 if step % 2 == 0 else 3
    pixels = torch.tensor([(i * 37 + step * 101 + i * i * 13) % 256 for i in range(images * 12)])
    labels = torch.tensor([(i * 3 + step) % CLASSES for i in range(images)])
    return (pixels / 255 - 0.5).reshape(images, 12) / 0.25, labels


RATES = [0.05, 0.02, 0.04, 0.03, 0.01, 0.05]
SHARES = [0.9, 0.35, 0.5, 0.2, 1.0, 0.75]


def train(kind, options, backbone_factor=1.0, open_at=0, mixup=False, **loss_options):
    """Steps before `open_at` leave the body out; its group joins the optimizer then."""
    weights = network()
    head = [weights["fc.weight"], weights["fc.bias"]]
    body = [weights["body.weight"], weights["body.bias"]]
    optimizer = getattr(torch.optim, kind)([{"params": head}], lr=1, **options)
    found = []
    for step, rate in enumerate(RATES):
        if step == open_at:
            optimizer.add_param_group({"params": body})
        for group, factor in zip(optimizer.param_groups, (1, backbone_factor)):
            group["lr"] = rate * factor
        images, labels = batch(step)
        share = SHARES[step] if mixup else None
        if mixup:
            images = share * images + (1 - share) * images.flip(0)
        features = torch.sigmoid(images @ weights["body.weight"].T + weights["body.bias"])
        loss = loss_of(features @ weights["fc.weight"].T + weights["fc.bias"], labels, share=share, **loss_options)
        for value in weights.values():
            value.grad = None
        loss.backward()
        optimizer.step()
        found.append(float(f"{loss.item():.9g}"))
    return {"losses": found, "weights": {name: rounded(value.detach()) for name, value in weights.items()}}


sgd = {"momentum": 0.9, "weight_decay": 0.03}
adamw = {"weight_decay": 0.5}
optimizers = {
    "Adam": train("Adam", {}),
    "AdamW": train("AdamW", adamw),
    "AdamW, betas and epsilon": train("AdamW", {**adamw, "betas": (0.8, 0.95), "eps": 1e-3}),
    "SGD": train("SGD", {"momentum": 0, "weight_decay": 0.03}),
    "SGD, momentum": train("SGD", sgd),
    "AdamW, slow backbone": train("AdamW", adamw, backbone_factor=0.1),
    "SGD, slow backbone": train("SGD", sgd, backbone_factor=0.1),
    "AdamW, backbone from step 3": train("AdamW", adamw, backbone_factor=0.5, open_at=3),
    "SGD, backbone from step 3": train("SGD", sgd, backbone_factor=0.5, open_at=3),
    "Adam, backbone frozen": train("Adam", {}, open_at=99),
    "Adam, class weights": train("Adam", {}, weighted=True),
    "AdamW, all at once": train("AdamW", adamw, 0.1, mixup=True, weighted=True, smoothing=0.1),
    "SGD, mixup": train("SGD", sgd, mixup=True),
}
print(json.dumps({"torch": torch.__version__.split("+")[0], "losses": losses, "optimizers": optimizers}, indent=1))
