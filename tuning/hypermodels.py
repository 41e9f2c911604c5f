"""What a search varies: a recipe's model and recipe as KerasTuner hypermodels."""

import collections.abc
import contextlib
import dataclasses
import warnings
from typing import ClassVar

import keras
import keras_tuner

from seqzoo.models import ImageToText, LanguageModel, Seq2Seq
from seqzoo.pipelines import PairPreprocessor
from seqzoo.training.run import check_finite, number_of_batches
from seqzoo.tuning.values import checked, declare, exact, kind

# Arguments of `fit` that say what is trained on, and in which batches.
_DATA_ARGUMENTS = (
    "x", "y", "sample_weight", "batch_size", "steps_per_epoch", "shuffle", "validation_split", "validation_data",
    "validation_batch_size", "class_weight",
)  # fmt: skip


class RecipeHyperModel(keras_tuner.HyperModel):
    """A recipe whose fields are hyperparameters; it builds, compiles and fits by itself.

    `keras_tuner`'s tuners take it as it is, with `objective=hypermodel.objective`: `tuner.search()` gets no data, since
    the hypermodel makes its batches itself, anew for each trial, so that a trial's result depends on its
    hyperparameters and the seed alone. KerasTuner passes over the error of a trial; this is a `RuntimeWarning` here.

    Args:
        recipe: `PairRecipe`, `ImageRecipe` or `TextRecipe`. What is not searched is as it says.
        training, validation, preprocessor: see the recipe's `training_data`.
        space: dictionary from a hyperparameter's name to the values to choose from; these replace the default ones.
        fixed: dictionary from a hyperparameter's name to the one value that it has.
        seed: int, of weights, dropout and shuffles in each trial.
        compile_options: dictionary of options of `keras.Model.compile` to use in place of the recipe's, or `None`.

    Attributes:
        SPACE: the values searched by default; the recipe's own is added where it is missing, and begins a grid.
        space: the values of this search; one where a hyperparameter is fixed.
        CONDITIONS: from a hyperparameter to `(parent, values)`: it is searched where the parent has one of these.
        METRICS: the classes of the metrics that a trial's model measures beside the loss.
        objective: `keras_tuner.Objective`.
        warns_of_failures: bool, whether a trial's error is also a warning.

    Raises:
        ValueError: for a wrong hyperparameter or value, or a hyperparameter that is both fixed and searched.
    """

    SPACE: ClassVar = {}
    CONDITIONS: ClassVar = {}
    METRICS: ClassVar = ()
    direction = None
    warns_of_failures = True

    def __init__(
        self, recipe, training, validation, preprocessor, space=None, fixed=None, seed=0, compile_options=None
    ):
        super().__init__()
        self.base_recipe = recipe
        self.training = training
        self.validation = validation
        self.preprocessor = preprocessor
        self.space = self.whole_space(recipe, space, fixed)
        self.seed = seed
        self.compile_options = compile_options or {}
        self.objective = keras_tuner.Objective(recipe.metric, self.direction)
        self._steps = {}

    @classmethod
    def whole_space(cls, recipe, space=None, fixed=None):
        """The values of each hyperparameter, checked, the recipe's own first; see the class."""
        space, fixed = dict(space or {}), dict(fixed or {})
        for name in (*space, *fixed):
            if name not in cls.SPACE:
                raise ValueError(f"There is no hyperparameter {name!r}. Choose among: {', '.join(cls.SPACE)}")
            if name in space and name in fixed:
                raise ValueError(
                    f"{name} is both fixed, to {fixed[name]!r}, and searched, over {space[name]}: leave out one"
                )
        return {
            name: [checked(name, fixed[name], default)]
            if name in fixed
            else cls._values(name, cls.own_value(recipe, name), default, space.get(name))
            for name, default in cls.SPACE.items()
        }

    @classmethod
    def parsed(cls, name, text):
        """A hyperparameter's value from text such as `"128"`, `"4e-3"`, `"true"` or `"lstm"`.

        Returns:
            bool, int, float or str. An unknown name's text stays as it is.

        Raises:
            ValueError: for text that is no value of that hyperparameter.
        """
        example = cls.SPACE.get(name, [""])[0]
        try:
            return {"true": True, "false": False}[text.lower()] if isinstance(example, bool) else type(example)(text)
        except (KeyError, ValueError):
            raise ValueError(f"{name} must be {kind(example)}. Received: {text!r}") from None

    @classmethod
    def _values(cls, name, own, default, searched):
        if searched is None:
            return [own, *(value for value in default if value != own)]
        if isinstance(searched, str) or not isinstance(searched, collections.abc.Iterable):
            raise ValueError(f"The space of {name} must be a list of values. Received: {searched!r}")
        values = list(dict.fromkeys(checked(name, value, default) for value in searched))
        if not values:
            raise ValueError(f"The space of {name} is empty: list values to choose from, or leave it out")
        return [own, *(value for value in values if value != own)] if own in values else values

    @classmethod
    def own_value(cls, recipe, name):
        """What the recipe itself has for a hyperparameter."""
        return getattr(recipe, name)

    def as_objective(self, objective):
        """An objective that KerasTuner takes, also where it is the name of a metric that KerasTuner does not know.

        Args:
            objective: `str` such as `"val_exact_match"`, `keras_tuner.Objective`, a list of them, or `None`.

        Returns:
            A `keras_tuner.Objective` for the name of one of `METRICS`, `objective` of this for `None`; anything else as
            it came.
        """
        if objective is None:
            return self.objective
        if isinstance(objective, list):
            return [self.as_objective(each) for each in objective]
        directions = {metric.name: metric._direction for metric in (each() for each in self.METRICS)}
        name = objective.removeprefix("val_") if isinstance(objective, str) else None
        if name not in directions:
            return objective
        return keras_tuner.Objective(objective, {"up": "max", "down": "min"}[directions[name]])

    def declare_hyperparameters(self, hp):
        """Registers all hyperparameters, without building a model."""
        for name, values in self.space.items():
            parent, when = self.CONDITIONS.get(name, (None, None))
            with hp.conditional_scope(parent, when) if parent else contextlib.nullcontext():
                declare(hp, name, values)

    def values(self, hp):
        """Dictionary from the hyperparameters' names to their values; of one that does not count here, the first."""
        self.declare_hyperparameters(hp)
        return {name: exact(hp.values.get(name, values[0])) for name, values in self.space.items()}

    def recipe(self, hp):
        """The recipe with these hyperparameters."""
        # Hyperband trains in parts: each with a schedule of its own, from the weights of the part before.
        epochs = hp.values.get("tuner/epochs", self.base_recipe.epochs) - hp.values.get("tuner/initial_epoch", 0)
        return self._with_values(epochs=epochs, **self.values(hp))

    def _with_values(self, **values):
        return dataclasses.replace(self.base_recipe, **values)

    def preprocessor_for(self, recipe):
        """The preprocessor as the recipe has it."""
        return self.preprocessor

    def build(self, hp):
        """A new model, compiled with the recipe."""
        with self._failures_as_warnings():
            keras.utils.set_random_seed(self.seed)
            recipe = self.recipe(hp)
            model = recipe.build(self.preprocessor_for(recipe))
            recipe.compile(model, self._steps_per_epoch(recipe), **self.compile_options)
            return model

    def fit(self, hp, model, *args, callbacks=(), epochs=None, **options):
        """Trains the model for the recipe's epochs, or up to `epochs`; returns Keras' `History`.

        Args:
            hp: `keras_tuner.HyperParameters`.
            model: what `build` returned.
            *args: none: the data are the hypermodel's own.
            callbacks: see `keras.Model.fit`.
            epochs: int, or `None`.
            **options: other arguments of `keras.Model.fit`, but those that say what to train on.

        Raises:
            ValueError: for a loss or a score that is no longer a number; and, as a `FatalValueError` of KerasTuner's,
                which ends the search, for data, or for how to make batches of them.
        """
        self._refuse_data([*_DATA_ARGUMENTS[: len(args)], *(each for each in _DATA_ARGUMENTS if each in options)])
        with self._failures_as_warnings():
            recipe = self.recipe(hp)
            model.optimizer.iterations.assign(0)  # The schedule is this trial's, whatever checkpoint it continues.
            history = model.fit(
                self._batches(recipe),
                validation_data=self._validation_recipe(recipe).validation_batches(
                    self.preprocessor_for(recipe), self.validation
                ),
                epochs=epochs or recipe.epochs,
                callbacks=[keras.callbacks.TerminateOnNaN(), *callbacks],
                **options,
            )
            check_finite([history.history["loss"], history.history[self.objective.name]], recipe)
            return history

    def _refuse_data(self, given):
        if given:
            names = ", ".join(given)
            raise keras_tuner.errors.FatalValueError(
                f"A trial makes batches of its hypermodel's own data: call search() without {names}; give the data to "
                f"{type(self).__name__}(recipe, training, validation, preprocessor), and the batch sizes to its "
                f"space= or fixed=. Received: {names}"
            )

    @contextlib.contextmanager
    def _failures_as_warnings(self):
        try:
            yield
        except Exception as error:
            if self.warns_of_failures:
                text = f"A trial failed, and the search goes on without it: {type(error).__name__}: {error}"
                warnings.warn(text, RuntimeWarning, stacklevel=3)
            raise

    def _validation_recipe(self, recipe):
        """Whose validation batches a trial of this recipe is scored on, so that scores can be compared."""
        return self.base_recipe  # In its own windows.

    def _batches(self, recipe):
        # Each part of Hyperband's trainings passes over the data as often an epoch as the whole does.
        recipe = dataclasses.replace(recipe, epochs=self.base_recipe.epochs)
        return recipe.batches(self.preprocessor_for(recipe), self.training, self.seed)

    def _steps_per_epoch(self, recipe):
        # Counting may mean to read all data once.
        key = recipe.batch_size, getattr(recipe, "window", None)
        if key not in self._steps:
            self._steps[key] = number_of_batches(self._batches(recipe))
        return self._steps[key]


class Seq2SeqHyperModel(RecipeHyperModel):
    """The hypermodel of a `PairRecipe`: pairs of strings, scored by exact match; see `RecipeHyperModel`."""

    SPACE: ClassVar = {
        "hidden_dim": [64, 128, 256],
        "embedding_dim": [16, 32, 64],
        "cell": ["lstm", "gru", "simple_rnn"],
        "num_layers": [1, 2],
        "dropout": [0.0, 0.1, 0.3],
        "model": ["Seq2Seq", "PeekySeq2Seq", "AttentionSeq2Seq"],
        "bidirectional": [False, True],
        "reverse": [False, True],
        "pass_cell_state": [False, True],
        "label_smoothing": [0.0, 0.05, 0.1],
        "learning_rate": [1e-3, 2e-3, 4e-3, 8e-3],
        "batch_size": [64, 128, 256],
    }
    CONDITIONS: ClassVar = {"pass_cell_state": ("cell", ["lstm"])}  # Others have none.
    METRICS: ClassVar = Seq2Seq.default_metrics
    direction = "max"

    @classmethod
    def whole_space(cls, recipe, space=None, fixed=None):
        """As the class documents it; of answers that copy words, the recipe's model alone unless others are named."""
        if recipe.copy_unknown and "model" not in {**(space or {}), **(fixed or {})}:
            fixed = {**(fixed or {}), "model": recipe.model}
        return super().whole_space(recipe, space, fixed)

    @classmethod
    def own_value(cls, recipe, name):
        """The recipe's own value; where it leaves `bidirectional` to its model, what that does."""
        return recipe.is_bidirectional if name == "bidirectional" else getattr(recipe, name)

    def preprocessor_for(self, recipe):
        """The preprocessor, reversing as the recipe has it."""
        return PairPreprocessor.from_config({**self.preprocessor.get_config(), "reverse": recipe.reverse})

    def _validation_recipe(self, recipe):
        return recipe  # Batches of a length that the trial's model takes.


class ImageHyperModel(RecipeHyperModel):
    """The hypermodel of an `ImageRecipe`: pictures, scored by exact match; see `RecipeHyperModel`."""

    SPACE: ClassVar = {
        "hidden_dim": [32, 64, 128],
        "embedding_dim": [16, 32, 64],
        "cell": ["lstm", "gru", "simple_rnn"],
        "num_layers": [1, 2],
        "dropout": [0.0, 0.1, 0.3],
        "attention": [False, True],
        "label_smoothing": [0.0, 0.05, 0.1],
        "learning_rate": [1e-3, 2e-3, 4e-3, 8e-3],
        "batch_size": [64, 128, 256],
    }
    METRICS: ClassVar = ImageToText.default_metrics
    direction = "max"


class LanguageHyperModel(RecipeHyperModel):
    """The hypermodel of a `TextRecipe`: a text, scored by nats per token; see `RecipeHyperModel`."""

    SPACE: ClassVar = {
        "hidden_dim": [128, 256, 512],
        "embedding_dim": [32, 64, 128],
        "cell": ["lstm", "gru", "simple_rnn"],
        "num_layers": [1, 2],
        "dropout": [0.0, 0.2, 0.4],
        "window": [32, 64, 128],
        "learning_rate": [1e-3, 2e-3, 5e-3, 1e-2],
        "weight_decay": [0.0, 0.01, 0.1],
        "batch_size": [16, 32, 64],
    }
    METRICS: ClassVar = LanguageModel.default_metrics
    direction = "min"

    @classmethod
    def whole_space(cls, recipe, space=None, fixed=None):
        """The values of each hyperparameter; tied embeddings have the size of the hidden layers."""
        if not recipe.tie_embeddings:
            return super().whole_space(recipe, space, fixed)
        if "embedding_dim" in {*(space or {}), *(fixed or {})}:
            raise ValueError(f"The recipe {recipe.name} ties its embeddings: embedding_dim is hidden_dim, leave it out")
        whole = super().whole_space(recipe, space, fixed)
        del whole["embedding_dim"]
        return whole

    def _with_values(self, **values):
        values.setdefault("embedding_dim", values["hidden_dim"])
        return super()._with_values(**values)
