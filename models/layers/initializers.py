"""How weights start: each stock Keras layer's own way, or the chapter's."""

_FAN_IN = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1.0, "mode": "fan_in", "distribution": "untruncated_normal"},
}
_SMALL = {"class_name": "RandomNormal", "config": {"stddev": 0.01}}

# Keyword arguments of the layers. "book": normal, kernels with variance 1 / inputs, all biases 0.
_OPTIONS = {
    "keras": {"embedding": {}, "recurrent": {}, "lstm": {}, "dense": {}},
    "book": {
        "embedding": {"embeddings_initializer": _SMALL},
        "recurrent": {"kernel_initializer": _FAN_IN, "recurrent_initializer": _FAN_IN},
        "lstm": {"unit_forget_bias": False},
        "dense": {"kernel_initializer": _FAN_IN},
    },
}


def constructor_arguments(names):
    """The arguments of a constructor as `get_config` returns them, from its `locals()`, taken before all else.

    Raises:
        TypeError: for keyword arguments that are none; Keras passes over them.
    """
    unknown = sorted(set(names.get("kwargs", ())) - {"name", "trainable"})
    if unknown:
        raise TypeError(f"{type(names['self']).__name__} has no argument {unknown[0]!r}")
    return {name: value for name, value in names.items() if name not in ("self", "__class__", "preprocessor", "kwargs")}


def initializer_options(initializer, layer):
    """The initialisers of a layer, as its keyword arguments.

    Args:
        initializer: `"keras"`, or `"book"` for those of *Deep Learning from Scratch 2*, section 7.3.
        layer: `"embedding"`, `"lstm"`, `"gru"`, `"simple_rnn"` or `"dense"`.
    """
    if initializer not in _OPTIONS:
        raise ValueError(f"initializer must be one of {sorted(_OPTIONS)}. Received: initializer={initializer!r}")
    options = _OPTIONS[initializer]
    if layer in ("embedding", "dense"):
        return options[layer]
    return {**options["recurrent"], **(options["lstm"] if layer == "lstm" else {})}
