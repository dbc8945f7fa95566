"""Artefacts: trained models as folders that users load, and the programs that make and check them.

python -m saved_models.make RUN --output saved_models      a run of training.train into a folder
python -m saved_models.verify saved_models/NAME             is it whole, and does it do its work
python -m saved_models.card saved_models/NAME               its README.md, written again
python -m saved_models.index                                the table in saved_models/README.md
python -m saved_models.publish saved_models/NAME --output DIR    for TF Hub and Kaggle Models
"""
