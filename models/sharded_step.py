"""A training step whose batch is cut into shards, which are computed side by side on a processor's cores."""

import itertools

import keras
import tensorflow as tf

MAX_SHARDS = 64
"""The most shards of a batch; each is a part of the graph of a step."""

# Added to the seeds of the shards after the first, so that each drops other units: 2³² divided by the golden ratio.
_SEED_STRIDE = 0x9E3779B9
_SEED_STATE = "seed_generator_state"


class ShardedModel(keras.Model):
    """A Keras model that can train on batches cut into shards.

    Attributes:
        shards: int, what `compile` was told.
    """

    shards = 1

    def compile(self, optimizer, loss, *, shards=1, **options):
        """See `keras.Model.compile`; and `StringModel.compile` for the shards."""
        if isinstance(shards, bool) or not isinstance(shards, int) or not 1 <= shards <= MAX_SHARDS:
            raise ValueError(f"shards must be a whole number from 1 to {MAX_SHARDS}. Received: shards={shards!r}")
        if shards > 1:
            self._check_that_it_can_be_sharded(shards, loss)
        super().compile(optimizer, loss, **options)
        self.shards = shards

    def get_compile_config(self):
        """What `compile` was called with, serialised; see `keras.Model.get_compile_config`."""
        config = super().get_compile_config()
        return {**config, "shards": self.shards} if config else config

    def train_step(self, data):
        """One step of training on a batch, in as many shards as `compile` was told."""
        if self.shards == 1:
            return super().train_step(data)
        return sharded_step(self, data, self.shards, self.jit_compile and not self.run_eagerly)

    def make_train_function(self, force=False):
        """See Keras. Of several shards each is compiled by itself, and not the whole step."""
        jit_compile = self.jit_compile
        try:
            self.jit_compile = jit_compile and self.shards == 1
            super().make_train_function(force)
        finally:
            self.jit_compile = jit_compile

    def _check_that_it_can_be_sharded(self, shards, loss):
        if tf.distribute.has_strategy():
            raise ValueError(
                f"A distribution strategy divides the batch already: leave out shards. Received: {shards=}"
            )
        if type(self).train_step is not ShardedModel.train_step:
            raise ValueError(f"Shards need the model's own train_step, which is overridden. Received: {shards=}")
        reductions = {getattr(each, "reduction", "mean") for each in keras.tree.flatten(loss)}
        if others := reductions - {"mean", "sum_over_batch_size"}:
            raise ValueError(
                "Shards need a loss that is a mean over the batch. "
                f"Received: {shards=} and reduction={min(map(str, others))!r}"
            )


def sharded_step(model, data, shards, compiled):
    """One training step, as `keras.Model.train_step`, in shards that run at the same time.

    XLA runs one program on one core. Here each shard's gradients are a program, all of them run side by side, and a
    last one adds the gradients up, in the shards' order, and updates the weights. The result depends on the number of
    shards, but not on that of the cores. Loss and gradients are the means over the whole batch; a shard's dropout has
    numbers of its own.

    Embeddings have dense gradients here, each token's in one row, and so a clipped norm is the whole gradient's. Keras'
    own step clips by the norm of the gradients of all places where tokens stand.

    The programs take weights and other state as tensors: those that read variables would wait for each other.

    Args:
        model: the compiled model.
        data: what `train_step` takes.
        shards: int, at least 2. A batch of fewer rows leaves some of them empty.
        compiled: bool, whether XLA compiles the programs. Without it they run one after the other.

    Returns:
        The metrics, a dictionary.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    weights, state = model.trainable_variables, model.non_trainable_variables

    def compile_program(function):
        return tf.function(function, autograph=False, jit_compile=True) if compiled else function

    def gradients(weight_values, state_values, scale, shard):
        x, y, sample_weight = shard
        with tf.GradientTape() as tape:
            tape.watch(weight_values)
            mapping = [*zip(weights, weight_values, strict=True), *zip(state, state_values, strict=True)]
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                y_pred = model(x, training=True)
                loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True)
                new_state = [scope.get_current_value(variable) for variable in state]
                changed = [
                    value if value is not was else None for value, was in zip(new_state, state_values, strict=True)
                ]
            scaled = loss * tf.cast(scale, loss.dtype)
        dense = [None if each is None else tf.convert_to_tensor(each) for each in tape.gradient(scaled, weight_values)]
        return loss, dense, changed, y_pred

    def update(parts, shares):
        _, shard_gradients, states, _ = zip(*parts, strict=True)
        means = [_weighted_sum(each, shares) for each in zip(*shard_gradients, strict=True)]
        model.optimizer.apply(means, weights)
        for variable, values in zip(state, zip(*states, strict=True), strict=True):
            if values[0] is not None:
                floating = values[0].dtype.is_floating
                variable.assign(_weighted_sum(values, shares) if floating else values[0])

    def measure(parts, shares, rows):
        losses, *_, y_pred = zip(*parts, strict=True)
        model._loss_tracker.update_state(_weighted_sum(losses, shares), sample_weight=rows)
        return model.compute_metrics(x, y, _concatenated(y_pred), sample_weight=sample_weight)

    rows, sizes = _sizes(x, shards)
    shares = [tf.cast(size, tf.float32) / tf.cast(rows, tf.float32) for size in sizes]
    weight_values, state_values = ([tf.identity(each.value) for each in group] for group in (weights, state))
    scale = model.optimizer.scale_loss(tf.ones([]))
    gradients_of = compile_program(gradients)
    parts = [
        gradients_of(weight_values, _own_seeds(state, state_values, number), scale, shard)
        for number, shard in enumerate(_cut((x, y, sample_weight), sizes))
    ]
    compile_program(update)(parts, shares)
    return compile_program(measure)(parts, shares, rows)


def _sizes(x, shards):
    """`(rows, sizes)`: the rows of a batch, and of each shard; numbers where they are known beforehand."""
    first = next(each for each in tf.nest.flatten(x) if each is not None)
    rows = tf.shape(first)[0] if first.shape[0] is None else first.shape[0]
    return rows, [(rows + shards - 1 - number) // shards for number in range(shards)]


def _cut(data, sizes):
    """The shards of nested tensors, a list of the same structures."""

    def part(start, end):
        return tf.nest.map_structure(lambda each: None if each is None else each[start:end], data)

    return [part(*edges) for edges in itertools.pairwise(itertools.accumulate(sizes, initial=0))]


def _concatenated(parts):
    return tf.nest.map_structure(lambda *each: tf.concat(each, axis=0), *parts)


def _own_seeds(variables, values, number):
    """The values of a shard's variables: its seed generators have other seeds than those of other shards."""
    stride = tf.constant([number * _SEED_STRIDE % 2**32, 0], tf.int64)
    return [
        tf.cast(tf.cast(value, tf.int64) + stride, value.dtype) if variable.name == _SEED_STATE else value
        for variable, value in zip(variables, values, strict=True)
    ]


def _weighted_sum(parts, shares):
    """The sum in the shards' order; what an empty shard computed, a mean of nothing, does not count."""
    if parts[0] is None:
        return None
    return sum(
        tf.math.multiply_no_nan(part, tf.cast(share, part.dtype)) for part, share in zip(parts, shares, strict=True)
    )
