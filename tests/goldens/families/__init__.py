"""One file per family: its tokenizer and its checkpoints. Importing it adds them to the table; alphabetic."""

import families.deberta
import families.deberta_v2
