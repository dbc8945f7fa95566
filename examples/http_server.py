"""An ONNX file of ours as an HTTP service: a picture file in, the most likely classes out.

    python -m pip install "keras_mlp[http]"
    python -m keras_mlp.formats saved_models/repmlpnet_cifar10/model.keras \\
        --format onnx --output model.onnx
    python -m examples.http_server model.onnx --port 8000
    curl -F picture=@examples/pictures/horse.png http://127.0.0.1:8000/predict

LitServe answers the requests and puts those that arrive together into one batch; ONNX Runtime
computes. Neither Keras nor TensorFlow is loaded.
"""

import argparse
import io
import json
import pathlib
import socket
from collections.abc import Sequence
from typing import Any

import litserve
import numpy as np
import onnxruntime
from fastapi import HTTPException, Request
from PIL import Image

TOP = 3  # classes of an answer
MAX_PIXELS = 16_000_000  # of a picture, read from its header before it is decoded


class Classifier(litserve.LitAPI):
    """Answers a form with a file called `picture`.

    Args:
        path: an `.onnx` file of `keras_mlp.formats`.
        threads: that compute one batch.
        **options: of `litserve.LitAPI`: `max_batch_size` and `batch_timeout`, in seconds.
    """

    def __init__(self, path: str, threads: int, **options: Any) -> None:
        super().__init__(**options)
        self.path, self.threads = path, threads

    def setup(self, device: str) -> None:
        """Opens the file, once in each worker process."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        self.session = onnxruntime.InferenceSession(self.path, options)
        (self.input,) = self.session.get_inputs()
        metadata = self.session.get_modelmeta().custom_metadata_map
        self.classes = json.loads(metadata.get("class_names", "null"))
        self.predict(np.zeros((1, *self.input.shape[1:]), "uint8"))  # the first call is slow

    def decode_request(self, request: Request) -> np.ndarray:
        """The pixels of the picture of a request, uint8 (H, W, channels).

        LitServe reads from the annotation what to pass: here, the fields of the form.
        """
        if "picture" not in request:
            raise HTTPException(400, 'the form has no file "picture"')
        _, height, width, channels = self.input.shape
        try:
            file = Image.open(io.BytesIO(request["picture"].file.read()))
            if file.width * file.height > MAX_PIXELS:
                raise HTTPException(400, f"the picture has more than {MAX_PIXELS:,} pixels")
            picture = file.convert("L" if channels == 1 else "RGB").resize((width, height))
        except (OSError, Image.DecompressionBombError) as error:
            raise HTTPException(400, "the file is no whole picture") from error
        return np.asarray(picture, "uint8").reshape(height, width, channels)

    def predict(self, pixels: np.ndarray) -> np.ndarray:
        """Logits of one picture or of a batch."""
        batch = pixels if pixels.ndim == 4 else pixels[np.newaxis]
        (logits,) = self.session.run(None, {self.input.name: batch})
        found: np.ndarray = logits if pixels.ndim == 4 else logits[0]
        return found

    def encode_response(self, logits: np.ndarray) -> dict[str, float]:
        """The most likely classes and their probabilities."""
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = np.argsort(-shares)[:TOP]
        names = self.classes or range(len(shares))
        return {str(names[each]): round(float(shares[each]), 4) for each in best}


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.http_server")
    parser.add_argument("model", help="an .onnx file")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=8, help="most pictures in a batch (8)")
    parser.add_argument("--wait", type=float, default=2, help="for others, in milliseconds (2)")
    parser.add_argument("--threads", type=int, default=1, help="of ONNX Runtime (1)")
    options = parser.parse_args(arguments)
    if not pathlib.Path(options.model).is_file():
        parser.error(f"`model` must be an .onnx file, and there is no {options.model}.")
    for name in ("batch", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"`--{name}` must be at least 1, got {getattr(options, name)}.")
    if not 0 <= options.wait <= 1000:
        parser.error(f"`--wait` must be from 0 to 1000 milliseconds, got {options.wait}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that ended is none
        try:
            probe.bind(("127.0.0.1", options.port))
        except (OSError, OverflowError) as error:
            parser.error(f"`--port` {options.port} cannot be listened at ({error}); take another.")
    api = Classifier(
        options.model,
        options.threads,
        max_batch_size=options.batch,
        batch_timeout=options.wait / 1000 if options.batch > 1 else 0,
    )
    server = litserve.LitServer(api, accelerator="cpu")
    server.run(host="127.0.0.1", port=options.port, generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
