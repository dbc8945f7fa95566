"""Artefacts: trained models as folders that users load, and the programs that make and check them.

python -m saved_models.make RUN --output saved_models      makes one from a run of training.train
python -m saved_models.verify saved_models/NAME            checks its files and what they compute
python -m saved_models.card saved_models/NAME              rewrites its README.md
python -m saved_models.index                               rewrites the table of README.md
python -m saved_models.publish saved_models/NAME --output DIR    prepares TF Hub and Kaggle uploads
"""
