"""One file per family: its tokenizer and its checkpoints. Importing it adds them to the table; alphabetic."""

from . import bart  # noqa: F401
from . import embeddings  # noqa: F401
from . import masked_lm  # noqa: F401
from families import electra  # noqa: F401
