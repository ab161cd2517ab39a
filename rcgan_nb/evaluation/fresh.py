"""A neural judge is compiled once and begun anew for every set and seed: compiling takes as long as training."""

import numpy as np


def begun_anew(model, seed):
    """Set a compiled Keras model and its optimiser back to a beginning that the seed decides, dropout included."""
    import keras

    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    for variable, new in zip(model.variables, fresh.variables, strict=True):
        variable.assign(new)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))
    return model
