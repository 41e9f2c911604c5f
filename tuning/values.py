"""The values of hyperparameters: which ones are allowed, and how KerasTuner is told of them."""


def checked(name, value, default):
    """A value of a hyperparameter, given its default ones; a `ValueError` where it can be none."""
    example = default[0]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(example, float) and is_number:
        value = float(value)
    if type(value) is not type(example):
        raise ValueError(f"{name} must be {kind(example)}. Received: {value!r}")
    if isinstance(example, str) and value not in default:
        raise ValueError(f"{name} must be one of {', '.join(default)}. Received: {value!r}")
    if is_number and not (0 < value < float("inf") or (value == 0 and 0 in default)):
        raise ValueError(f"{name} must be {'at least' if 0 in default else 'above'} 0. Received: {value!r}")
    if name in ("dropout", "label_smoothing") and value >= 1:
        raise ValueError(f"{name} must be below 1. Received: {value!r}")
    return value


def kind(example):
    """What values like this one are called in errors."""
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}[type(example)]


def declare(hp, name, values):
    """Registers a hyperparameter with these values, of which the first is the default."""
    if len(values) == 1:
        hp.Fixed(name, values[0])
    elif isinstance(values[0], bool):
        hp.Boolean(name, default=values[0])
    else:
        # In order, so that a model of the scores knows which values are near each other.
        in_order = values if isinstance(values[0], str) else sorted(values)
        hp.Choice(name, in_order, default=values[0])


def exact(value):
    """A value as it was before KerasTuner sent it."""
    # Between machines KerasTuner sends numbers in single precision.
    return float(f"{value:.7g}") if isinstance(value, float) else value
