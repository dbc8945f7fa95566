"""Makes every import of TensorFlow, and of what stands on it, an error."""

import sys


class _Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets", "orbit", "official"):
            raise ImportError(f"{name} was imported on JAX")


def block_tensorflow():
    sys.meta_path.insert(0, _Blocked())
