"""Programs that train, evaluate and fine-tune the models of keras_mlp; run from the checkout."""
