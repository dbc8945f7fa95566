"""`python -m keras_mlp`, the same as `keras-mlp`, for shells that do not find the script."""

import pathlib
import runpy

if __name__ == "__main__":
    runpy.run_path(str(pathlib.Path(__file__).parent / "programs"), run_name="__main__")
