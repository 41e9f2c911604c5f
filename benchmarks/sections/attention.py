"""The attention model: training and answers."""

import contextlib

from report import Row
from sides import PYTORCH_ONE_THREAD, Side, best_pytorch, in_turn, pytorch_sides, same_parameters

from sections.section import section

_KERAS = "Keras' stock layers"
# So that answers end where they should, as a trained model's do: most of them, not all, are right.
_EPOCHS = 8
_BATCHES = {1: 200, 64: 16, 1024: 1}  # Sizes, and how many of them are answered at a time.
_LEAST = {1: 2, 64: 1.2, 1024: 1.2}
# Of a thousand greedy answers so many may differ: float32 sums have another order.
_EQUAL = 0.99


@section(minutes=6)
def attention(run):
    """Training of an attention model, bidirectional, 256 units, dropout 0.3, batches of 128."""
    paths = run.pronunciations, run.words, run.asked
    with contextlib.ExitStack() as stack:
        sides = {
            "seqzoo": Side("seqzoo_attention_peer", "Words", *paths),
            **pytorch_sides("torch_attention_peer", "Words", *paths),
            _KERAS: Side("keras_attention_peer", "Words", *paths),
        }
        for side in sides.values():
            stack.enter_context(side)
        same_parameters(sides)
        costs = in_turn(run.rounds, **{name: (side, "epoch") for name, side in sides.items()})
    ours, theirs, keras = costs["seqzoo"], costs[PYTORCH_ONE_THREAD], costs[_KERAS]
    name, best = best_pytorch(costs)
    what = f"attention, an epoch of {run.words_rows:,} rows of {run.words_name}"
    yield Row(f"{what}, wall time", ours, f"{name}, its best: {best}", ours.wall / best.wall, 0.8)
    yield Row(f"{what}, CPU time", ours, f"{PYTORCH_ONE_THREAD}: {theirs}", ours.cpu / theirs.cpu, 1.1)
    yield Row(f"{what}, wall time", ours, f"{_KERAS}: {keras}", ours.wall / keras.wall)


@section(minutes=6)
def attention_answers(run):
    """Answers of an attention model that was trained for some epochs, its weights on both sides the same."""
    trained, weights = run.folder / "attention.keras", run.folder / "attention.npz"
    with Side("seqzoo_attention_peer", "Words", run.pronunciations, run.words, run.asked, epochs=_EPOCHS) as learner:
        for _ in range(_EPOCHS):
            learner.ask("epoch")
        learner.ask("save", trained, weights)
    with contextlib.ExitStack() as stack:
        seqzoo = stack.enter_context(Side("seqzoo_attention_peer", "Answers", trained, run.asked))
        torch = pytorch_sides("torch_attention_peer", "Answers", run.pronunciations, run.asked, weights)
        for side in torch.values():
            stack.enter_context(side)
        _check_that_they_answer_alike(seqzoo, torch[PYTORCH_ONE_THREAD])

        def measure(ours, *task):
            """What seqzoo's task costs, and PyTorch's name and cost at its best."""
            tasks = {name: (side, *task) for name, side in torch.items()}
            costs = in_turn(2 * run.rounds, **tasks, seqzoo=(seqzoo, *ours))
            return costs["seqzoo"], *best_pytorch(costs)

        for beam_size, search in ((1, "greedy"), (5, "beam 5")):
            for size, number in _BATCHES.items():
                task, amount = ("generate", size, number, beam_size), size * number
                ours, name, theirs = measure(task, *task)
                what = f"attention, {run.words_name}, {search}, words in batches of {size:,}"
                peer, ratio = f"{name}: {theirs.rate(amount)}", theirs.wall / ours.wall
                yield Row(what, ours.rate(amount), peer, ratio, _LEAST[size], least=True)
        seqzoo.ask("export")
        number = _BATCHES[1]
        for kept, target in (("float32", 2), ("int8", 4)):
            invoke, name, theirs = measure(("invoke", kept, number), "generate", 1, number)
            what = f"LiteRT {kept}, one word of {run.words_name}, greedy, one thread"
            peer, ratio = f"{name}: {theirs / number}", theirs.wall / invoke.wall
            yield Row(what, invoke / number, peer, ratio, target, least=True)


def _check_that_they_answer_alike(seqzoo, torch):
    ours, theirs = seqzoo.ask("answers"), torch.ask("answers")
    equal = sum(map(str.__eq__, ours, theirs)) / len(ours)
    if equal < _EQUAL:
        raise RuntimeError(f"Both sides must answer alike. Of their greedy answers {equal:.1%} are equal")
