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
