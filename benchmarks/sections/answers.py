"""Answers of a model of sums: `generate`, exports, and all sums of two numbers below 1,000."""

import contextlib

from report import Cost, Row
from sides import Side, best_pytorch, in_turn, pytorch_sides

from sections.section import section

_BATCHES = {1: 1000, 256: 40, 1024: 20, 5000: 5}  # Sizes, and how many of them are answered at a time.
_SERVED = (1, 1024)
_INVOCATIONS = 2000


@section(minutes=3)
def answers(run):
    """`generate`, exports, and all sums of two numbers below 1,000."""
    paths = run.training, run.test
    with contextlib.ExitStack() as stack:
        seqzoo, served = Side("seqzoo_peer", "Exports", *paths), Side("serving_peer", "Exports", *paths)
        torch = pytorch_sides("torch_peer", "Answers", *paths)
        for side in (seqzoo, served, *torch.values()):
            stack.enter_context(side)
        for size, number in _BATCHES.items():
            tasks = {name: (side, "generate", size, number) for name, side in torch.items()}
            tasks["seqzoo"] = seqzoo, "generate", size, number
            if size in _SERVED:
                tasks["serve"] = served, "serve", size, number
            costs = in_turn(2 * run.rounds, **tasks)
            ours, (name, theirs), amount = costs["seqzoo"], best_pytorch(costs), size * number
            peer = f"{name}, tokens to tokens: {theirs.rate(amount)}"
            target = 3 if size == 1 else 1
            yield Row(f"`generate`, {size:,}", ours.rate(amount), peer, theirs.wall / ours.wall, target, least=True)
            if size in _SERVED:
                request, asked = (costs[name] / number for name in ("serve", "seqzoo"))
                what = f"SavedModel, a request of {size:,}"
                yield Row(what, request, f"`generate`: {asked}", request.wall / asked.wall, 1.3)
        yield from _litert(run, seqzoo, torch)
        cost = Cost(*seqzoo.time("million"))
        yield Row("all 1,000,000 sums of 0 to 999", cost, "–", cost.wall, 15, unit="s")


def _litert(run, seqzoo, torch):
    """One sum by a LiteRT file, beside PyTorch's one sum and beside a call of its signature from Python."""
    number = _BATCHES[1]
    for kept, target in (("float32", 10), ("int8", 30)):
        tasks = {name: (side, "generate", 1, number) for name, side in torch.items()}
        tasks |= {task: (seqzoo, task, kept, _INVOCATIONS) for task in ("invoke", "call")}
        costs = in_turn(2 * run.rounds, **tasks)
        invoke, call = costs["invoke"] / _INVOCATIONS, costs["call"] / _INVOCATIONS
        name, theirs = best_pytorch(costs)
        peer = f"{name}: {theirs / number}; called from Python by its signature: {call}"
        what = f"LiteRT {kept}, one sum, one thread"
        yield Row(what, invoke, peer, theirs.wall / number / invoke.wall, target, least=True)
