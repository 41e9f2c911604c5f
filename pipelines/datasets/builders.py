"""What the TFDS builders of pairs have in common."""

import dataclasses
import pathlib

import tensorflow_datasets as tfds

from seqzoo.pipelines.pairs import as_pairs


class OrderedBuilder:
    """A mixin of builders whose rows are written in their order, `disable_shuffling`, and may be read in another.

    TFDS refuses `shuffle_files=True` for such rows, so that no order is lost unawares; who passes it wants no order. It
    shuffles files alone, so that the rows of a split in one file keep their order: shuffle the data set too.
    """

    def _as_dataset(self, split, decoders=None, read_config=None, shuffle_files=False):
        if shuffle_files:
            read_config = dataclasses.replace(read_config or tfds.ReadConfig(), enable_ordering_guard=False)
        return super()._as_dataset(split, decoders, read_config, shuffle_files)


def pairs_info(builder, **facts):
    """The `tfds.core.DatasetInfo` of a builder of `source` and `target` texts, which its docstring describes.

    `facts` are further arguments of `DatasetInfo`, such as `homepage`, `citation` and `license`.
    """
    text = tfds.features.Text()
    return tfds.core.DatasetInfo(
        builder=builder,
        description=builder.__doc__,
        features=tfds.features.FeaturesDict({"source": text, "target": text}),
        supervised_keys=("source", "target"),
        disable_shuffling=True,
        **facts,
    )


def numbered_examples(rows):
    """`(source, target)` rows as TFDS takes examples, in their order."""
    for row, (source, target) in enumerate(rows):
        yield row, {"source": source, "target": target}


def prepare(builder, manual_dir=None):
    """Downloads what a builder needs, checks it against its registered checksums, and writes the data set.

    Does nothing where TFDS' folder holds the data set already.

    Args:
        builder: `tfds.core.DatasetBuilder`.
        manual_dir: folder with the files that it would download, under the names that its `checksums.tsv` has; `None`
            to download them.

    Raises:
        ValueError: where `manual_dir` has none of the files, one that is missing there cannot be downloaded, or one has
            other bytes.
    """
    url_infos = builder.url_infos or {}
    files = "\n".join(f"  {info.filename} from {url}" for url, info in url_infos.items())
    if manual_dir is not None and not builder.is_prepared():
        folder = pathlib.Path(manual_dir)
        if not any((folder / info.filename).exists() for info in url_infos.values()):
            raise ValueError(
                f"{folder} has none of the files of the data set {builder.name}: name the folder that they are in, or "
                f"leave out --manual-dir to download them. Its files:\n{files}"
            )
    try:
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    except Exception as error:  # TFDS lets through whatever its HTTP client raises.
        raise ValueError(
            f"The data set {builder.name} cannot be prepared: {_first_line(error)}. Where there is no network, put "
            f"its files into a folder and name that, --manual-dir DIR. Its files:\n{files}"
        ) from error


def load_prepared(builder, split):
    """The rows of a split of a data set that `prepare` wrote; `tf.data.Dataset` of `(source, target)` scalars."""
    return as_pairs(builder.as_dataset(split=split, as_supervised=True))


def _first_line(error):
    return f"{type(error).__name__}: {error}".splitlines()[0].rstrip(".:")
