"""The TFDS builders `cmudict` and `sigmorphon_g2p`, on small files of the same form as those they download."""

import csv
import dataclasses
import hashlib
import pathlib
import shutil
import types
import typing
from unittest import mock

import pytest
import tensorflow_datasets as tfds

from seqzoo import cli
from seqzoo.pipelines import Cmudict, CmudictData, SigmorphonG2p, load_test_rows
from seqzoo.pipelines.datasets.builders import load_prepared, prepare
from seqzoo.pipelines.datasets.cmudict import cmudict_dataset_builder
from seqzoo.pipelines.pairs import decoded
from seqzoo.training import recipe
from seqzoo.training.recipes.pairs import PairRecipe

FOLDER = pathlib.Path(__file__).parent
FAKE = FOLDER / "fake_files"
UPSTREAM = ("g014b2b.train", "g014b2b.ref")


class TestCmudictBuilder(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Cmudict
    EXAMPLE_DIR = FAKE
    DL_EXTRACT_RESULT: typing.ClassVar = {"train": "g014b2b.train", "test": "g014b2b.ref"}
    SPLITS = types.MappingProxyType({"train": 5, "validation": 3, "test": 5})

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.object(cmudict_dataset_builder, "_VALIDATION_WORDS", 2))

    def test_session(self, *args, **kwargs):
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False  # TensorFlow's context manager, not a test.


class TestSigmorphonBuilder(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = SigmorphonG2p
    BUILDER_CONFIG_NAMES_TO_TEST = ("kor",)
    EXAMPLE_DIR = FAKE
    DL_EXTRACT_RESULT: typing.ClassVar = {"train": "kor_train.tsv", "validation": "kor_dev.tsv", "test": "kor_test.tsv"}
    SPLITS = types.MappingProxyType({"train": 3, "validation": 2, "test": 2})

    def test_session(self, *args, **kwargs):
        return super().test_session(*args, **kwargs)

    test_session.__test__ = False


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """Registers the checksums of the small files, and gives TFDS a folder of its own."""
    monkeypatch.setattr(cmudict_dataset_builder, "_VALIDATION_WORDS", 2)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"), raising=False)
    infos = {}
    for url, info in Cmudict.url_infos.items():
        data = (FAKE / info.filename).read_bytes()
        infos[url] = type(info)(len(data), hashlib.sha256(data).hexdigest(), info.filename)
    monkeypatch.setattr(Cmudict, "url_infos", infos)
    return tmp_path


@pytest.fixture
def builder(registered):
    return Cmudict(data_dir=registered / "tfds")


def test_rows_of_words_in_lower_case_with_all_their_pronunciations(builder):
    prepare(builder, FAKE)
    rows = {split: list(decoded(load_prepared(builder, split))) for split in ("train", "validation", "test")}
    every = sorted(rows["train"] + rows["validation"])
    assert every == [
        ("'bout", "B AW T"),
        ("colour", "K AH L ER"),
        ("data", "D AE T AH"),
        ("data", "D EY T AH"),
        ("metre", "M IY T ER"),
        ("tensor", "T EH N S ER"),
        ("zebra", "Z IY B R AH"),
        ("zoo", "Z UW"),
    ]
    # By SHA-256, whatever the order of the file.
    words = sorted({word for word, _ in every}, key=lambda word: hashlib.sha256(word.encode()).hexdigest())
    assert {word for word, _ in rows["validation"]} == set(words[:2])
    assert rows["test"] == [
        ("either", "IY DH ER"),
        ("either", "AY DH ER"),
        ("flow", "F L OW"),
        ("keras", "K EH R AH S"),
        ("sequence", "S IY K W AH N S"),
    ]


def test_other_bytes_are_one_error_and_leave_nothing(builder, registered):
    folder = registered / "files"
    shutil.copytree(FAKE, folder)
    (folder / "g014b2b.ref").write_text("FLOW\tF L OW\n")
    with pytest.raises(ValueError, match="The data set cmudict cannot be prepared: NonMatchingChecksumError"):
        prepare(builder, folder)
    assert not pathlib.Path(builder.data_dir).exists()


def test_without_network_and_files_the_error_names_the_files(builder, registered, monkeypatch):
    def refused(*arguments, **options):
        raise ConnectionError("Network is unreachable")

    monkeypatch.setattr("requests.Session.get", refused)
    with pytest.raises(ValueError, match="cannot be prepared: ConnectionError: Network is unreachable") as error:
        prepare(builder)
    for name in UPSTREAM:
        assert f"{name} from https://raw.githubusercontent.com/AdolfVonKleist/Phonetisaurus/" in str(error.value)


@pytest.mark.parametrize("folder", ["files", "mistyped"])
def test_a_folder_without_any_of_the_files_is_named_at_once(builder, registered, monkeypatch, folder):
    monkeypatch.setattr("requests.Session.get", lambda *arguments, **options: pytest.fail("asks the network"))
    (registered / "files").mkdir()
    with pytest.raises(ValueError, match=f"{folder} has none of the files of the data set cmudict") as error:
        prepare(builder, registered / folder)
    assert all(f"\n  {name} from https://" in str(error.value) for name in UPSTREAM)
    prepare(builder, FAKE)
    prepare(builder, registered / folder)  # Nothing is looked for when the data set is there.


def test_preprocessor_has_the_tokens_of_the_data_and_finds_the_test_rows(registered, monkeypatch):
    builder = Cmudict(data_dir=registered / "tfds")
    prepare(builder, FAKE)
    monkeypatch.setattr(CmudictData, "_split", lambda self, name: load_prepared(builder, name))
    data = CmudictData()
    preprocessor = data.preprocessor()
    for pairs in (*data.load(), data.load_test()):
        for source, target in decoded(pairs):
            preprocessor([source], [target])
    assert list(decoded(load_test_rows(preprocessor))) == list(decoded(data.load_test()))
    assert load_test_rows(preprocessor, only_at_hand=True) is None  # An export must not wait for a download.
    assert preprocessor(["TensorFlow"], ["T EH N S ER F L OW"]) is not None


def test_recipe_trains_on_train_and_chooses_on_validation(registered, monkeypatch):
    builder = Cmudict(data_dir=registered / "tfds")
    prepare(builder, FAKE)
    monkeypatch.setattr(CmudictData, "_split", lambda self, name: load_prepared(builder, name))
    training, validation, preprocessor = recipe("pronounce_english").training_data()
    assert [len(list(part)) for part in (training, validation)] == [5, 3]
    assert preprocessor == CmudictData().preprocessor()


def test_recipe_is_described_and_read_back():
    chosen = recipe("pronounce_english")
    assert PairRecipe.from_config(dataclasses.asdict(chosen)) == chosen
    assert PairRecipe.from_config(dataclasses.asdict(recipe("dates"))) == recipe("dates")


@pytest.mark.parametrize("name", ["addition_reverse", "pairs_attention"])
def test_manual_dir_of_a_recipe_that_downloads_nothing_is_refused(name, tmp_path, capsys):
    command = ["train", name, "--output", str(tmp_path / "run"), "--manual-dir", str(tmp_path)]
    assert cli.main(command) == 2
    assert capsys.readouterr().err == (
        f"error: The recipe {name} downloads no data set that TFDS prepares: leave out --manual-dir\n"
    )
    assert not (tmp_path / "run").exists()


def test_checksums_are_those_of_pinned_files():
    """Of every file that a config asks for: one address at one commit each."""
    for name, count in (("cmudict", 2), ("sigmorphon_g2p", 3 * 21)):
        path = pathlib.Path(cmudict_dataset_builder.__file__).parents[1] / name / "checksums.tsv"
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t"))
        assert len(rows) == count
        assert len({url.split("/")[5] for url, *_ in rows}) == 1
        for url, size, checksum, filename in rows:
            assert url.endswith(f"/{filename}")
            assert int(size) > 0
            assert len(checksum) == 64
    assert len(SigmorphonG2p.builder_configs) == 21


def test_unknown_data_set_name_is_an_error():
    with pytest.raises(ValueError, match="Received: name='dates'"):
        CmudictData("dates")
