"""A card as a page: what stands in `card.json` stands there too."""

import copy

from seqzoo.export.cards.markdown import card_page


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
