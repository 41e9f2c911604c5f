"""The house stays readable: sizes of modules and rooms, and one type of model."""

import ast
import pathlib

import pytest

from seqzoo import models

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("pipelines", "models", "training", "tuning", "export", "src")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
MODEL_CLASSES = {
    name for name, value in vars(models).items() if isinstance(value, type) and issubclass(value, models.StringModel)
}


def lines_of(path):
    return len(path.read_text("utf-8").splitlines())


def test_no_module_is_longer_than_350_lines():
    assert len(MODULES) > 50
    assert {path.relative_to(ROOT).as_posix(): lines for path in MODULES if (lines := lines_of(path)) > 350} == {}


def test_models_own_level_has_at_most_16_modules():
    assert len(list((ROOT / "models").glob("*.py"))) <= 16


def asks_for_the_kind(tree):
    """The lines on which code looks up something by a model's task or class, or compares them."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(slice=ast.Attribute(attr="task")):
                yield node.lineno
            case ast.Compare():
                sides = [node.left, *node.comparators]
                if any(_names(side) & MODEL_CLASSES or getattr(side, "attr", None) == "task" for side in sides):
                    yield node.lineno
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, classes]):
                if _names(classes) & MODEL_CLASSES:
                    yield node.lineno
            case ast.Match(subject=subject):
                patterns = {name for case in node.cases for name in _names(case.pattern)}
                if patterns & MODEL_CLASSES or getattr(subject, "attr", None) == "task":
                    yield node.lineno


def _names(tree):
    """The last parts of the names that stand in a piece of code."""
    nodes = list(ast.walk(tree))
    return {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("FIGURES[model.task](model)", 1),
        ("if model.task == 'text': pass", 1),
        ("isinstance(model, LanguageModel)", 1),
        ("isinstance(model, (int, seqzoo.models.Seq2Seq))", 1),
        ("issubclass(kind, Seq2Seq | int)", 1),
        ("type(model) is PeekySeq2Seq", 1),
        ("match model:\n    case LanguageModel(): pass", 1),
        ("match model.task:\n    case 'text': pass", 1),
        ("{'kind': model.task}; isinstance(seed, int); LanguageModel(preprocessor)", 0),
    ],
)
def test_questions_for_the_kind_of_a_model_are_recognised(code, count):
    assert len(list(asks_for_the_kind(ast.parse(code)))) == count


def test_at_most_three_places_outside_models_ask_for_the_kind_of_a_model():
    assert {"StringModel", "Seq2Seq", "PeekySeq2Seq", "LanguageModel"} <= MODEL_CLASSES
    places = [
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for path in MODULES
        if not path.is_relative_to(ROOT / "models")
        for line in asks_for_the_kind(ast.parse(path.read_text("utf-8")))
    ]
    assert len(places) <= 3, places
