"""The work of bench.ts in PyTorch, as one line of JSON: its default recipe (NCHW, float32, Adam), or
channels-last, bf16 autocast, torch.compile, joined by "+".

Needs torch, torchvision and pillow, in an environment of its own. Started by bench.ts with --pytorch=PYTHON.
"""

import argparse
import json
import resource
import statistics
import subprocess
import time

started = time.perf_counter()

import torch  # noqa: E402
import torchvision  # noqa: E402
from torchvision import transforms  # noqa: E402

ROUNDS = 3
CLASSES = 365
DATA_WORKERS = 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--mode", type=mode, default={"nchw"}, help="of nchw, channels_last, bf16, compile")
    parser.add_argument("--steps_only", action="store_true", help="no epochs, evaluation or loader")
    parser.add_argument("--folder")
    options = parser.parse_args()

    gpu_mb_before = gpu_megabytes_in_use()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    layout = torch.channels_last if "channels_last" in options.mode else torch.contiguous_format
    # The auxiliary classifiers of these would be work that ours does not do.
    more = {"aux_logits": False, "init_weights": True} if options.model in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(options.model, weights=None, num_classes=CLASSES, **more)
    model = model.to(device, memory_format=layout).train()
    run = torch.compile(model) if "compile" in options.mode else model
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    loss_fn = torch.nn.CrossEntropyLoss()

    def train_step(images, labels):
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled="bf16" in options.mode):
            loss = loss_fn(run(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    images = torch.randn(options.batch_size, 3, 224, 224, device=device).contiguous(memory_format=layout)
    labels = torch.arange(options.batch_size, device=device) % CLASSES
    train_step(images, labels)
    first_step_seconds = time.perf_counter() - started
    train_step(images, labels)

    def memory():
        """PyTorch keeps what it has taken of a GPU, so that what is in use is the most that was."""
        peaks = {"peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        if device.type == "cuda":
            peaks["peak_gpu_mb"] = gpu_megabytes_in_use() - gpu_mb_before
        return peaks

    if options.steps_only:
        seconds = [timed(lambda: train_step(images, labels)) for _ in range(options.steps)]
        figures = {
            "train_images_per_second": options.batch_size / statistics.median(seconds),
            **memory(),
            "first_step_seconds": first_step_seconds,
            "torch": torch.__version__,
        }
        print(json.dumps(figures))
        return

    def loader(repeats=1):
        preprocess = transforms.Compose(
            [
                transforms.Resize(256),
                transforms.CenterCrop(224),
                transforms.ToTensor(),
                transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )
        folder = torchvision.datasets.ImageFolder(options.folder, preprocess)
        dataset = torch.utils.data.ConcatDataset([folder] * repeats)
        return torch.utils.data.DataLoader(
            dataset, options.batch_size, shuffle=True, num_workers=DATA_WORKERS, pin_memory=device.type == "cuda"
        )

    def real_epoch():
        for done, (batch, targets) in enumerate(loader()):
            if done == options.steps:
                break
            train_step(batch.to(device, memory_format=layout), targets.to(device))

    step_seconds, epoch_seconds = [], []
    for _ in range(ROUNDS):
        step_seconds.append(timed(lambda: [train_step(images, labels) for _ in range(options.steps)]))
        epoch_seconds.append(timed(real_epoch))
    peaks = memory()

    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled="bf16" in options.mode):
        model(images).sum().item()
        eval_seconds = timed(lambda: [model(images).sum().item() for _ in range(options.steps)])

    count = options.batch_size * options.steps
    figures = {
        "train_images_per_second": count / statistics.median(step_seconds),
        "eval_images_per_second": count / eval_seconds,
        "epoch_images_per_second": count / statistics.median(epoch_seconds),
        **peaks,
        "first_step_seconds": first_step_seconds,
        "device": device.type,
        "loader_images_per_second": loader_rate(loader, options.batch_size),
        "torch": torch.__version__,
    }
    print(json.dumps(figures))


def mode(text):
    parts = set(text.split("+"))
    if not parts <= {"nchw", "channels_last", "bf16", "compile"}:
        raise argparse.ArgumentTypeError(f"no such mode: {text}")
    return parts


def loader_rate(loader, batch_size, wanted=2000):
    """Images a second once all workers are busy: the batches that they fetch ahead are not counted."""
    ahead = 2 * DATA_WORKERS
    repeats = 1 + (wanted + ahead * batch_size) // len(loader().dataset)
    batches = iter(loader(repeats))
    for _ in range(ahead):
        next(batches)
    start = time.perf_counter()
    delivered = sum(len(labels) for _, labels in batches)
    return delivered / (time.perf_counter() - start)


def gpu_megabytes_in_use():
    """On all GPUs together, whoever uses them; 0 where there is none."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    try:
        return sum(map(int, subprocess.run(query, capture_output=True, check=True, text=True).stdout.split()))
    except (OSError, subprocess.CalledProcessError):
        return 0


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
