"""The layers that a model consists of, and whether they are still those that it was made with."""

import keras


class Structure:
    """Notices changes of a functional model's layers: LoRA, another dtype policy, a layer in another's place.

    Args:
        model: functional `keras.Model`, as it was made.
    """

    def __init__(self, model):
        self._model = model
        self._attributes = [
            (part, name, value)
            for part in (model, *(layer for _, layer in layers_by_path(model)))
            for name, value in vars(part).items()
            if isinstance(value, keras.layers.Layer)
        ]
        self._state = self._current_state()

    def has_changed(self):
        """Whether layers have changed since the last call, or since the model was made; bool.

        Raises:
            ValueError: where a layer stands in another's place: a functional model goes on with the other one.
        """
        state = self._current_state()
        if state == self._state:
            return False
        for part, name, layer in self._attributes:
            if vars(part).get(name) is not layer:
                raise ValueError(
                    f"Another layer was put in the place of {layer.name!r}, with which a functional model goes on: "
                    "give that one weights, set_weights(…), or make another model"
                )
        self._state = state
        return True

    def _current_state(self):
        return [
            (layer, len(layer._trainable_variables), len(layer._non_trainable_variables), layer.dtype_policy)
            for layer in self._model._flatten_layers()
        ]


def layers_by_path(model, prefix=""):
    """The layers that a model, or a layer, computes with, at all depths, as `(path, layer)`."""
    for layer in model.layers if isinstance(model, keras.Model) else model._layers:
        path = f"{prefix}{layer.name}"
        yield path, layer
        yield from layers_by_path(layer, f"{path}/")
