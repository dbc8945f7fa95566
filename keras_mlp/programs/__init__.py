"""The command `keras-mlp`: every program under one name, see `__main__.py`.

Nothing here imports Keras, and this folder is never imported as a part of `keras_mlp`: Python runs
the folder itself, as `python FOLDER` does. In a wheel it also holds training/ and saved_models/.
"""
