"""One file per family: its tokenizer and its checkpoints. Importing it adds them to the table; alphabetic."""

from families import modernbert  # noqa: F401
