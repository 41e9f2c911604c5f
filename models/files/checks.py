"""What a model file may hold: checked before anything is made of it."""

import io
import itertools
import zipfile

import h5py
import keras

_MEMBERS = ["config.json", "metadata.json", "model.weights.h5"]
# What a model may be compiled with. Other classes of Keras read files, run code or take any memory they are told.
_TRAINING_MODULES = ["builtins"] + [f"keras.{part}" for part in ("losses", "metrics", "optimizers")]
_TRAINING_MODULES += ["keras.optimizers.schedules", "keras.dtype_policies"]
# Above any model that one would train, and still built within seconds.
_LIMITS = {"layers": 32, "length": 2**15, "unrolled steps": 2**12, "classes or thresholds of a metric": 10_000}


def parts_of(path):
    """The content of each part of the file. Keras stores them uncompressed, so that none is larger than the file."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sorted(member.filename for member in members) != _MEMBERS:
            raise ValueError(f"its parts must be {', '.join(_MEMBERS)}, and no others")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its parts are compressed, as Keras never writes them")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its parts are said to be larger than the file")
        return {member.filename: archive.read(member) for member in members}


def registered(described):
    """The class or function registered in this process from which Keras makes a described object, or `None`."""
    name = described["class_name"]
    name = described["config"] if name == "function" else described.get("registered_name", name)
    return keras.saving.get_registered_object(name)


def models_of(described):
    """The described models in a file: the one that it holds, or the members of an ensemble."""
    members = described["config"].get("models")
    return [described] if members is None else list(members)


def check_objects(model):
    """Refuses objects that neither the model nor its training needs, at any depth of the configuration."""
    waiting, models = [model], [model, *models_of(model)]
    while waiting:
        value = waiting.pop()
        waiting.extend(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
        if not isinstance(value, dict) or "class_name" not in value:
            continue
        name, module, kind = str(value["class_name"]), value.get("module"), registered(value)
        if kind is None:
            allowed = module in _TRAINING_MODULES or (module, name) == ("keras", "DTypePolicy")
        else:  # The model makes its own layers; others of ours would be of any size.
            ours = isinstance(kind, type) and kind.__module__.startswith("seqzoo.")
            allowed = any(value is each for each in models) or not (ours and issubclass(kind, keras.layers.Layer))
        # Names in underscores are Keras' forms of other things, code among them; names with dots lead elsewhere.
        if not allowed or name.startswith("__") or not name.isidentifier():
            raise ValueError(f"{shown(name)} is no part of a model of seqzoo")
        if kind is None and not module.startswith("keras.optimizers") and isinstance(value["config"], dict):
            numbers = [number for number in value["config"].values() if isinstance(number, int)]
            _check_limit("classes or thresholds of a metric", max(numbers, default=0))


def check_sizes(models, weights_bytes):
    """Refuses models, given by their configurations, that are larger than their weights, or long to build."""
    least_bytes = 0
    for model in models:
        preprocessor = model["preprocessor"]["config"]
        dims = [model.get(name, 1) for name in ("embedding_dim", "hidden_dim", "num_layers")]
        names = ("source_length", "target_length", "height", "width")
        lengths = [preprocessor[name] for name in names if name in preprocessor] or [1]
        filters = [1, *model.get("filters", [])]
        if any(not isinstance(size, int) or size < 1 for size in dims + lengths + filters):
            raise ValueError(
                f"its dimensions and lengths must be whole numbers from 1. Received: {dims + filters[1:]}, {lengths}"
            )
        embedding_dim, hidden_dim, layers = dims
        vocabularies = [preprocessor["vocabulary"], preprocessor.get("target_vocabulary") or preprocessor["vocabulary"]]
        tokens = max(len(vocabulary["config"]["tokens"]) for vocabulary in vocabularies)
        # Some of its matrices, each number of which takes a byte or more.
        least_bytes += max(max(tokens, embedding_dim, layers * hidden_dim) * hidden_dim, embedding_dim * tokens)
        least_bytes += 9 * sum(before * after for before, after in itertools.pairwise(filters))
        if least_bytes > weights_bytes:
            sizes = f"{tokens=}, {embedding_dim=}, {hidden_dim=}, {layers=}, filters={filters[1:]}"
            raise ValueError(f"it has too few weights for {sizes}")
        check_limits(layers + len(filters) - 1, lengths, model.get("unroll"))


def check_limits(layers, lengths, unroll):
    """Refuses a model that is too deep or too long to be read back from a file: a `ValueError`."""
    _check_limit("layers", layers)
    _check_limit("length", max(lengths))
    _check_limit("unrolled steps", layers * sum(lengths) if unroll else 0)


def _check_limit(name, number):
    if number > _LIMITS[name]:
        raise ValueError(f"the {name} must be at most {_LIMITS[name]}. Received: {number}")


def check_weights(data):
    """Refuses weights in other files, and such that are larger than what is stored of them."""

    def wrong_link(name, link):  # The walk ends with what is not `None`.
        return None if isinstance(link, h5py.HardLink) else name

    def wrong_item(name, item):
        if not isinstance(item, h5py.Dataset):
            return None
        sizes.append(item.nbytes)
        elsewhere = item.external or item.is_virtual
        return name if elsewhere or item.chunks or item.dtype.hasobject or sum(sizes) > len(data) else None

    sizes = []
    with h5py.File(io.BytesIO(data)) as file:
        wrong = file.visititems_links(wrong_link) or file.visititems(wrong_item)
    if wrong:
        raise ValueError(f"its weights {shown(wrong)} are not stored as Keras stores them, as numbers in this file")


def shown(text):
    """The first line of an error, or of a text from the file, cut to what can be read."""
    lines = str(text).strip().splitlines() or [type(text).__name__]
    return lines[0][:300]
