"""Prints the shape and the spread of every tensor of a safetensors file.

    pip install --require-hashes -r eval/requirements.txt
    python eval/inspect_weights.py model/intent.safetensors
"""

import json
import sys

import numpy as np


def main(path: str) -> None:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > 1 << 20:
            raise SystemExit("the header is too long")
        header = json.loads(file.read(length))
        data = file.read()
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        tensor = np.frombuffer(data[begin:end], dtype="<f4").reshape(entry["shape"])
        used = np.count_nonzero(tensor) / tensor.size
        print(
            f"{name} {entry['shape']} mean {tensor.mean():.6f} std {tensor.std():.6f} "
            f"min {tensor.min():.6f} max {tensor.max():.6f} non-zero {used:.1%}"
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: inspect_weights.py FILE")
    main(sys.argv[1])
