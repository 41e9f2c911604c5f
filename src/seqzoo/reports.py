"""How results are printed: tables, figures, examples, reports of exports."""

import json

_FREQUENT_TOKENS, _RARE_TOKENS = 60, 20


def print_json(options, value):
    """Prints a value as one JSON object with `--json`; returns whether it did."""
    if options.json:
        print(json.dumps(value, ensure_ascii=False))
    return options.json


def printable(text):
    """A text as one line, characters that would control a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_table(table):
    """Prints rows of `str`, the first of them the header, in columns."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def cell(value):
    """A value as it stands in a table."""
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def print_metrics(metrics):
    """Prints the figures of an evaluation or of a training."""
    if "exact_match" in metrics:
        rows = "" if metrics["rows"] == metrics["sources"] else f" ({metrics['rows']:,} pairs)"
        print(f"exact match   {metrics['exact_match']:.2%} of {metrics['sources']:,} answers{rows}")
        print(f"token errors  {metrics['token_error_rate']:.3%}")
        for name, what in (("unreadable", "cannot be read"), ("unwritable", "have no answer that can be written")):
            if metrics.get(name):
                print(f"{name}    {metrics[name]:,} sources {what}, and count as wrong")
    else:
        print(f"nats/token    {metrics['nats_per_token']:.4f} over {metrics['tokens']:,} tokens")
        print(f"bits/token    {metrics['bits_per_token']:.4f}")
        print(f"perplexity    {metrics['perplexity']:.3f}")
    if "cpu_seconds" in metrics:
        passes = f", each {metrics['passes_per_epoch']} times over the data" if "passes_per_epoch" in metrics else ""
        print(f"epochs        {metrics['epochs']:,}{passes}; {metrics['steps']:,} steps")
        print(f"parameters    {metrics['parameters']:,}")
        print(f"CPU time      {metrics['cpu_seconds']['total']:.0f} s, wall time {metrics['wall_seconds']:.0f} s")
    print_examples(metrics.get("examples", ()))


def print_examples(examples):
    """Prints answers beside their targets, or a text."""
    for example in examples:
        if isinstance(example, str):
            print(f"it writes:\n{example}")
            continue
        note = "" if example["answer"] == example["target"] else f"  (right: {example['target']})"
        source = "a picture" if example["source"].startswith("data:image/") else example["source"]
        print(f"  {source} → {example['answer']}{note}")


def print_sums(figures):
    """Prints the errors on sums."""
    print(f"exact match   {figures['exact_match']:.4%} of {figures['rows']:,} sums")
    print(f"wrong         {figures['errors']:,}")
    for key, title in (("by_digits", "digits"), ("by_carries", "carries")):
        rows = [(name, f"{group['rows']:,}", f"{group['errors']:,}") for name, group in figures[key].items()]
        print_table([(title, "sums", "wrong"), *rows])
    print_examples(figures["wrong"])


def print_inspection(found):
    """Prints what a file of pairs or a text holds."""
    if "pairs" in found:
        print(f"pairs         {found['pairs']:,}, of which {found['repeated']:,} repeat an earlier one")
        several = f", {found['several_targets']:,} of them with several targets" if found["several_targets"] else ""
        print(f"sources       {found['sources']:,} different ones{several}")
        for example in found["examples"]:
            print(f"  {printable(example['source'])} → {printable(', '.join(example['targets']))}")
    else:
        print(f"lines         {found['lines']:,}, of which {found['empty']:,} are empty")
    for side in ("source", "target", "text"):
        if found.get(side):
            _print_side(side, found[side])
    titles = ("read with", "changed", "different", "tokens", "longest", "targets that it would change")
    print("\nwhat options would change")
    rows = [titles[:5] if "lines" in found else titles]
    for name, change in found["options"].items():
        numbers = [change[key] for key in ("changed", "sources", "tokens", "longest", "changed_targets")]
        option = "--lower-case" if name == "lower_case" else f"--normal-form {name}"
        rows.append([option, *(f"{number:,}" for number in numbers)][: len(rows[0])])
    print_table(rows)


def _print_side(name, side):
    unit, length, vocabulary = side["unit"], side["length"], side["vocabulary"]
    print(f"\n{name}: {side['tokens']:,} {unit}s, {len(vocabulary):,} different ones")
    if not length:
        return
    print(
        f"  {unit}s in a row  {length['min']:,} to {length['max']:,}, median {length['median']:,}, "
        f"99% at most {length['percentile_99']:,}"
    )
    for row in side["longest"]:
        print(f"  {row['length']:,} at {row['place']}: {printable(row['text'])}")
    names = {token: f"{token!r} ({names})" for token, names in side["code_points"].items()}
    counts = [f"{names.get(token, repr(token))} {count:,}" for token, count in vocabulary.items()]
    shown, rest = counts[:_FREQUENT_TOKENS], counts[_FREQUENT_TOKENS:]
    print(f"  vocabulary  {', '.join(shown)}")
    if rest:
        print(f"  the rarest of {len(rest):,} more  {', '.join(rest[-_RARE_TOKENS:])}")


def print_export(report):
    """Prints the report of an export."""
    ties = f", {report['near_ties']:,} differ by rounding" if report["near_ties"] else ""
    ties += f", {report['different']:,} differ by the quantisation" if report["different"] else ""
    print(f"exported to   {report['path']} ({report['bytes'] / 1024:,.0f} KiB)")
    print(f"signatures    {', '.join(report['signatures'])}")
    print(f"as the model  {report['equal']:,} of {report['rows']:,}{ties}")
    for name, each in report["other_signatures"].items():
        if each["different"]:
            print(f"  {name}: {each['different']:,} of {each['rows']:,} differ by the quantisation")
    if score := report["score"]:
        form = "{:.4f}" if score["metric"] == "nats_per_token" else "{:.2%}"
        name = score["metric"].replace("_", " ")
        print(f"{name:13s} {form.format(score['model'])} before, {form.format(score['export'])} after")
