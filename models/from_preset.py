"""What models have in common: they can be made from a preset."""


class FromPreset:
    """Gives a class of models `from_preset`."""

    @classmethod
    def from_preset(cls, name, load_weights=True):
        """`seqzoo.models.from_preset`, for presets whose model is one of this class.

        Raises:
            ValueError: for a preset that does not exist, does not ship trained, or is of another class.
        """
        from seqzoo.models.loading import from_preset  # Which imports the models.

        model = from_preset(name, load_weights)
        if not isinstance(model, cls):
            kind = type(model).__name__
            raise ValueError(f"The preset {name} is a {kind}, no {cls.__name__}: use {kind}.from_preset")
        return model
