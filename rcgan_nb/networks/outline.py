"""What a network is made of, for a picture of it."""

import math

RECURRENT = ("LSTM", "GRU", "RNN", "Bidirectional", "MinGRU")


def outline(model) -> list[dict]:
    """The layers of a Functional model in order, inputs first.

    Returns: for each its name, kind (the class of layer), steps (None where time is gone), channels, parameters, and
        over, what it does along time: "recurrent", "convolution" or "" (each step by itself, or no time at all).
    """
    return [_layer(layer) for layer in model.layers]


def _layer(layer):
    kind = type(layer).__name__
    shapes = layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]
    shape = shapes[0].shape[1:]
    over = "recurrent" if kind in RECURRENT else "convolution" if "Conv" in kind else ""
    return {
        "name": layer.name,
        "kind": kind,
        "steps": shape[0] if len(shape) > 1 else None,
        "channels": math.prod(shape[1:]) if len(shape) > 1 else (shape or (1,))[0],
        "parameters": layer.count_params(),
        "over": over,
    }
