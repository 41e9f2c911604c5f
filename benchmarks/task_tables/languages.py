"""The languages of SIGMORPHON 2021 beside the baseline of the shared task."""

import statistics

from seqzoo.pipelines import SigmorphonG2p
from seqzoo.pipelines.datasets.builders import load_prepared, prepare
from task_tables.bench import BEAM, SEEDS, table, word_errors

# The word error rates of the task's baseline, an ensemble of transducers, on the test rows.
BASELINE = {
    "high": {"eng_us": 41.94},
    "medium": {
        "arm_e": 7.0, "bul": 18.3, "dut": 14.7, "fre": 8.5, "geo": 0.0, "hbs_latn": 32.1, "hun": 1.8, "jpn_hira": 5.2,
        "kor": 16.3, "vie_hanoi": 2.5,
    },
    "low": {
        "ady": 22.0, "gre": 21.0, "ice": 12.0, "ita": 19.0, "khm": 34.0, "lav": 55.0, "mlt_latn": 19.0, "rum": 10.0,
        "slv": 49.0, "wel_sw": 10.0,
    },
}  # fmt: skip
RECIPE = ("pairs_attention", "--target-split", "whitespace", "--normal-form", "NFD")


def sigmorphon(size, bench):
    """The languages of one size, as single models and as ensembles beside the task's baseline."""
    rows, ensembles, singles = [], [], []
    seeds = SEEDS if size != "low" else SEEDS[:1]
    for language, baseline in BASELINE[size].items():
        files = _files(bench, language)
        data = ["--data", files["train"], "--validation-data", files["validation"]]
        folders = [bench.train(f"sigmorphon/{language}/{seed}", *RECIPE, *data, "--seed", seed) for seed in seeds]
        tested = ["--data", files["test"]]
        place = f"sigmorphon/{language}"
        scores = [bench.score(f"{place}/{each.name}", [each], *tested, beam=BEAM) for each in folders]
        single = statistics.mean(map(word_errors, scores))
        together = single
        if len(folders) > 1:
            together = word_errors(bench.score(f"{place}/together", folders, *tested, beam=BEAM))
        singles.append(single)
        ensembles.append(together)
        rows.append((f"`{language}`", f"{baseline:.2f}", f"{single:.2f}", f"{together:.2f}"))
    means = (statistics.mean(each) for each in (BASELINE[size].values(), singles, ensembles))
    rows.append(("**mean**", *(f"**{mean:.2f}**" for mean in means)))
    return table(("language", "baseline", f"single, mean of {len(seeds)}", f"ensemble of {len(seeds)}"), rows)


def _files(bench, language):
    """The splits of a language as files of pairs, by their names."""
    files = {split: bench.folder / f"sigmorphon/{language}/{split}.tsv" for split in ("train", "validation", "test")}
    if not all(path.exists() for path in files.values()):
        builder = SigmorphonG2p(config=language)
        prepare(builder, bench.manual_dir)
        for split, path in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = load_prepared(builder, split).as_numpy_iterator()
            path.write_bytes(b"".join(b"%s\t%s\n" % row for row in rows))
    return files
