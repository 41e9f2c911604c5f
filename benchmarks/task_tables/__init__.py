"""The tables of the page of tasks: `tasks.py` writes them."""
