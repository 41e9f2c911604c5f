"""A card as a page: what stands in `card.json` stands there too."""

import copy

from seqzoo.export.cards.markdown import card_page
from seqzoo.models import card


def test_page_has_what_the_card_holds(built):
    folder, card = built
    page = (folder / "card.md").read_text("utf-8")
    assert page == card_page(card)
    for text in (
        "`seqzoo build addition_peeky_reverse --output DIR`",
        f"**all 10,000 inputs** of up to 2 digits: **{card['sums']['errors']:,}**",
        card["weights_sha256"],
        card["data"]["train_sha256"],
        "4,000 rows to train on, 500 held out",
        "| `serving_default` | `source` string [batch] |",
        "(curve.png)",
    ):
        assert text in page
    for name, size in card["bytes"].items():
        assert f"| `{name}` | {size / 1024:,.1f} |" in page


def test_what_would_end_a_cell_of_a_table_is_escaped(built):
    card = copy.deepcopy(built[1])
    card["examples"][0]["answer"] = "a|b"
    assert r"| `a\|b` |" in card_page(card)


def test_sources_and_their_rows_are_told_apart_where_there_are_several_right_answers(built):
    card = copy.deepcopy(built[1])
    card["held_out"] |= {"rows": 300, "sources": 200, "exact_match": 0.75, "token_error_rate": 0.0625}
    page = card_page(card)
    assert "**75.00%** of 200 sources (300 pairs) match exactly, 50 do not;" in page
    assert "The token error rate is 6.250%." in page
    card["litert"] = {
        "float16": {"rows": 300, "bytes": 2048, "equal": 299, "score": card["litert"]["float16"]["score"]}
    }
    card["litert"]["float16"]["score"] |= {"export": 0.745}
    assert "| float16 | 2 | 74.5000% (51 errors) | 299 of 300 |" in card_page(card)


def test_what_an_answer_is_made_of_is_named(built):
    card = copy.deepcopy(built[1])
    card["recipe"] |= {"label_smoothing": 0.1}
    assert "character accuracy" in card_page(card)
    card["recipe"]["target_split"] = "whitespace"
    page = card_page(card)
    assert "token accuracy" in page
    assert "so that the most probable token has a probability of about 90% at most" in page


def test_errors_are_listed_by_length_and_by_token():
    about = card("dates")
    lengths = {str(length): {"sources": 100, "errors": length} for length in range(1, 23)}
    confusions = [{"target": "AH", "answer": "IH", "count": 1_234}, {"target": "", "answer": "T", "count": 5}]
    about |= {
        "data": {**about["data"], "source": "cmudict"},
        "errors": {"by_length": lengths, "confusions": confusions},
        "beam": {"beam_size": 5, "exact_match": 0.785, "token_error_rate": 0.0512},
    }
    page = card_page(about)
    assert "| 1 to 3 | 300 | 6 | 2.0% |" in page
    assert "| 22 to 24 | 100 | 22 | 22.0% |" in page
    assert "| `AH` | `IH` | 1,234 |\n| nothing | `T` | 5 |" in page
    assert (
        "With a beam of 5, as the SavedModel answers, **78.50%** match exactly; the token error rate is 5.120%." in page
    )
    assert "These are test rows, on which nothing was chosen." in page
    assert "its notice is in `NOTICE.txt`" in page
    assert "**Not for:** names, abbreviations and words of other languages" in page
