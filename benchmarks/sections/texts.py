"""The language model: training and writing."""

import contextlib

from report import Row
from sides import Side, best_pytorch, in_turn, pytorch_sides

from sections.section import section

_STEPS, _CHARACTERS = 100, 100 * 32 * 64


@section(minutes=2)
def texts(run):
    """The language model of 256 units."""
    paths = run.text, _STEPS
    with contextlib.ExitStack() as stack:
        torch = pytorch_sides("torch_peer", "Text", *paths)
        trains, writes = Side("seqzoo_peer", "Text", *paths), Side("seqzoo_peer", "Text", *paths, shards=1)
        for side in (trains, writes, *torch.values()):
            stack.enter_context(side)

        def measure(seqzoo, *task):
            """The cost of seqzoo, and the name and cost of PyTorch at its best."""
            tasks = {name: (side, *task) for name, side in torch.items()}
            costs = in_turn(run.rounds, **tasks, seqzoo=(seqzoo, *task))
            return costs["seqzoo"], *best_pytorch(costs)

        ours, name, theirs = measure(trains, "train_steps")
        what, rates = "language model, characters in training", (ours.rate(_CHARACTERS), theirs.rate(_CHARACTERS))
        yield Row(f"{what}, wall time", rates[0], f"{name}: {rates[1]}", theirs.wall / ours.wall, 1, least=True)
        yield Row(f"{what}, CPU time", rates[0], f"{name}: {rates[1]}", theirs.cpu / ours.cpu, 1, least=True)
        writes.ask("never_end")
        for prompts, length in ((1, 1000), (64, 200)):
            ours, name, theirs = measure(writes, "write", prompts, length)
            amount = prompts * length
            what = f"language model, characters written, {prompts} prompt{'s' * (prompts > 1)}"
            peer, ratio = f"{name}: {theirs.rate(amount)}", theirs.wall / ours.wall
            yield Row(what, ours.rate(amount), peer, ratio, 1, least=True)
