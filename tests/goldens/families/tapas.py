"""TAPAS: tables and questions. Its tokenizer exists in Python only, so vocab.txt stays in the folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pandas as pd
import torch
from transformers import TapasConfig, TapasForQuestionAnswering, TapasTokenizer

import tokenizer_files as T
import tokenizer_variants as V
import weights as W
from cases import Case
from table import TABLES, add, like, pick

EMPTY = "[EMPTY]"


def vocabulary(lower_case: bool = True, with_empty: bool = True) -> tuple[str, ...]:
    vocab = T.wordpiece_vocab(lower_case, 290)
    return (vocab[0], EMPTY, *vocab[1:]) if with_empty else vocab


def tapas_tokenizer(scratch: Path, lower_case: bool = True, with_empty: bool = True, **options: Any) -> TapasTokenizer:
    path = scratch / "vocab.txt"
    T.write_vocab_txt(path, vocabulary(lower_case, with_empty))
    return TapasTokenizer(str(path), do_lower_case=lower_case, **options)


def vocab_txt(lower_case: bool = True, with_empty: bool = True) -> Callable[[Path], None]:
    return lambda folder: T.write_vocab_txt(folder / "vocab.txt", vocabulary(lower_case, with_empty))


def only_vocab_txt(folder: Path) -> None:
    for file in (*V.FAST_FILES, "added_tokens.json"):
        (folder / file).unlink(missing_ok=True)


REPOSITORIES: dict[str, list[str]] = {
    "Repository": ["Transformers", "Datasets", "Tokenizers"],
    "Stars": ["36542", "4512", "3934"],
    "Contributors": ["651", "77", "34"],
    "Programming language": ["Python", "Python", "Rust, Python and NodeJS"],
}
ACTORS: dict[str, list[str]] = {
    "actors": ["brad pitt", "leonardo di caprio", "george clooney"],
    "age": ["56", "45", "59"],
    "number of movies": ["87", "53", "69"],
    "date of birth": ["7 february 1967", "10 june 1996", "28 november 1967"],
}
CITIES: list[dict[str, str]] = [
    {"City": "Zürich", "Founded": "15 BC", "People": "421,878", "Rank": "1st"},
    {"City": "Köln", "Founded": "50", "People": "1,073,096", "Rank": "2nd"},
    {"City": "北京", "Founded": "", "People": "n/a", "Rank": "3rd"},
    {"City": "São Paulo", "Founded": "January 25, 1554", "People": "12.3 million", "Rank": "?"},
    {"City": "Montréal", "Founded": "May 17, 1642", "People": "1.7", "Rank": "nan"},
    {"City": "Москва", "Founded": "1147", "People": " ", "Rank": "--"},
]
MATCHES: dict[str, list[str]] = {
    "Date": ["1998-06-10", "12-07-1998", "July 2000", "2002", "9 July 2006", "11.07.2010"],
    "Score": ["2 - 1", "3:0", "+5", "-2.5", ".5", "1e3"],
    "": ["a", "b", "c", "d", "e", "f"],
    "Team 🙂": ["Brazil", "France", "Deutsch\u0301land", "ISTANBUL İ", "[MASK] x", "Italy [SEP]"],
}
LONG: dict[str, list[str]] = {
    "Year": [str(1950 + 3 * at % 61) for at in range(40)],
    "Winner": [("Sarah Connor", "Angela Merkel", "Jürgen", "Amélie", "")[at % 5] for at in range(40)],
    "Points": [f"{(at * 7919) % 1000 / 10}" for at in range(40)],
}
WIDE: dict[str, list[str]] = {f"c{at}": [str(at), str(at * at % 7)] for at in range(9)}

ASKED: list[dict[str, Any]] = [
    {"table": REPOSITORIES, "query": "How many stars does the transformers repository have?"},
    {"table": ACTORS, "query": "who is older than 50?"},
    {"table": CITIES, "query": "Which city has more than 1,000,000 people?"},
    {"table": MATCHES, "query": "What was the score before July 2000?"},
    {"table": LONG, "query": "who won in 1998, 2001 and 1963?"},
    {"table": ACTORS, "query": "?"},
    {"table": REPOSITORIES, "query": "Total of stars in python, second or third"},
    {"table": WIDE, "query": "c3 is two"},
    {"table": {"only": ["x"]}, "query": "the one"},
    {"table": CITIES, "query": "What is the rank of 北京?"},
    {"table": MATCHES, "query": "[MASK] 5.0 in 2006 \u0130 e\u0301"},
]
TALKS: list[dict[str, Any]] = [
    {"table": ACTORS, "query": ["Who are the actors?", "how old are they?", "and the one born in 1967?"]},
    {"table": REPOSITORIES, "query": ["Which is written in Python?", "how many stars?"]},
    {"table": CITIES, "query": ["What are all the cities?", "which of these is in Germany?", "its rank?", "x"]},
    {"table": MATCHES, "query": ["first match", "the next", "and the last one"]},
    {"table": LONG, "query": ["who won in 1998?", "and who won 5 years later, in 2003?"]},
    {"table": WIDE, "query": ["c1", "c2", "c8"]},
    {"table": {"only": ["x", "y"]}, "query": ["y", "the other"]},
    {"table": ACTORS, "query": "who has the most movies?"},
    {"table": CITIES, "query": ["Founded before May 1700?", "", "people there"]},
]


def table_cases() -> list[Case]:
    return [
        Case("default", ASKED),
        Case("queries", TALKS),
        Case("sequential", TALKS, {"sequential": True}),
        Case("one", ASKED[:1]),
        Case("one_in_a_list", [{"table": ACTORS, "query": ["how old is brad pitt?"]}]),
        Case("several_of_one", TALKS[:1]),
        Case("sequential_one", TALKS[2:3], {"sequential": True}),
        Case("sequential_false", TALKS[:2], {"sequential": False}),
        Case("truncation_true", [ASKED[4], ASKED[0]], {"truncation": True}),
        Case("drop_rows", [ASKED[4], ASKED[0]], {"truncation": "drop_rows_to_fit"}),
        Case("truncation_false", [ASKED[0], ASKED[1]], {"truncation": False}),
        Case("do_not_truncate", [ASKED[2], ASKED[3]], {"truncation": "do_not_truncate"}),
        Case("padding_longest", TALKS[:2], {"padding": "longest"}),
        Case("padding_max_length", [ASKED[0], TALKS[0]], {"padding": "max_length"}),
        Case("padding_false", ASKED[:2], {"padding": False}),
        Case("null_parameters", ASKED[:2], {"padding": None, "truncation": None, "sequential": None}),
        Case("scalar_column", [{"table": {"a": "x", "b": ["1", "2"]}, "query": "x"}]),
        Case("bad_truncation", ASKED[:1], {"truncation": "longest_first"}, error=True),
        Case("bad_padding", ASKED[:1], {"padding": "shortest"}, error=True),
        Case("empty_table", [{"table": {}, "query": "x"}], error=True),
        Case("table_without_rows", [{"table": {"a": []}, "query": "x"}], error=True),
        Case("empty_query", [{"table": ACTORS, "query": ""}], error=True),
        Case("no_queries", [{"table": ACTORS, "query": []}], error=True),
        Case("null_query", [{"table": ACTORS, "query": None}], error=True),
        Case("no_query", [{"table": ACTORS}], error=True),
        Case("no_table", [{"query": "x"}], error=True),
        Case("numbers_for_cells", [{"table": {"a": [1, 2]}, "query": "x"}], error=True),
        Case("a_missing_cell", [{"table": [{"a": "x", "b": "y"}, {"a": "z"}], "query": "x"}], error=True),
        Case("columns_of_different_lengths", [{"table": {"a": ["1"], "b": ["1", "2"]}, "query": "x"}], error=True),
        Case("no_tokens", [{"table": {"": [""]}, "query": "x"}], error=True),
        Case("no_inputs", [], error=True),
    ]


def calibrate(folder: Path) -> None:
    """Moves and scales the heads so that over the questions of the cases some cells are chosen and some are not, and
    every aggregation is: without it a random model gives one answer nearly everywhere."""
    config = TapasConfig.from_pretrained(folder)
    model = TapasForQuestionAnswering.from_pretrained(folder).eval()
    tokenizer = TapasTokenizer.from_pretrained(folder)
    hidden, pooled = [], []
    with torch.no_grad():
        for item in ASKED + TALKS:
            table = pd.DataFrame(item["table"])
            queries = [item["query"]] if isinstance(item["query"], str) else item["query"]
            for query in queries:
                batch = tokenizer(table, query, truncation="drop_rows_to_fit", return_tensors="pt")
                output = model.tapas(**batch)
                hidden.append(output.last_hidden_state[0][batch["token_type_ids"][0, :, 2] > 0])
                pooled.append(output.pooler_output[0])
    state = W.read_state(folder)
    tokens = torch.cat(hidden) @ state["output_weights"]
    # Rounded, so that another CPU's last bits do not show.
    scale = round(float(3.0 / tokens.std()), 2)
    state["output_weights"] *= scale
    state["output_bias"] = torch.tensor(-round(float(tokens.median()) * scale, 2))
    if config.num_aggregation_labels > 0:
        weight = state["aggregation_classifier.weight"]
        mean = (torch.stack(pooled) @ weight.T).mean(dim=0)
        weight *= 3
        state["aggregation_classifier.bias"] = -(mean * 300).round() / 100
    W.write_safetensors(folder, state)


# A later question that leaves room for more rows than the one before makes Python raise when it is sequential.
SHORT = ("default", "queries", "sequential")
TAPAS: dict[str, Any] = dict(
    hidden_size=36,
    num_attention_heads=3,
    num_hidden_layers=2,
    intermediate_size=52,
    max_position_embeddings=24,
    layer_norm_eps=0.02,
    type_vocab_sizes=[3, 14, 50, 2, 48, 47, 9],
    max_num_rows=21,
    max_num_columns=6,
)
AGGREGATIONS = {0: "NONE", 1: "SUM", 2: "AVERAGE", 3: "COUNT"}

add(
    "tapas-wtq",
    TABLES,
    table_cases(),
    model_type="tapas",
    make_tokenizer=tapas_tokenizer,
    config={
        **TAPAS,
        "num_aggregation_labels": 4,
        "aggregation_labels": AGGREGATIONS,
        "no_aggregation_label_index": 0,
        "temperature": 0.7,
        "use_answer_as_supervision": True,
    },
    std=0.4,
    seed=10,
    tokenizer={"model_max_length": 180},
    rewrite=[vocab_txt(), calibrate],
)
# No aggregation; absolute positions; no column may be the answer.
add(
    "tapas-sqa",
    TABLES,
    pick(table_cases(), *SHORT, "one", "one_in_a_list", "padding_longest", "padding_max_length", "padding_false"),
    model_type="tapas",
    make_tokenizer=tapas_tokenizer,
    config={
        **TAPAS,
        "hidden_act": "relu",
        "max_position_embeddings": 160,
        "reset_position_index_per_cell": False,
        "allow_empty_column_selection": True,
        "init_cell_selection_weights_to_zero": True,
        "average_logits_per_cell": True,
        "max_num_rows": 64,
        "max_num_columns": 32,
    },
    std=0.4,
    tokenizer={"model_max_length": 150, "with_empty": False, "padding_side": "left"},
    rewrite=[vocab_txt(with_empty=False), calibrate],
)
# Every option of the tokenizer; labels as a list, none of which says that nothing is aggregated.
add(
    "tapas-wikisql-options",
    TABLES,
    pick(table_cases(), *SHORT, "padding_max_length"),
    model_type="tapas",
    make_tokenizer=tapas_tokenizer,
    config={
        **TAPAS,
        "hidden_act": "gelu_new",
        "num_aggregation_labels": 3,
        "aggregation_labels": ["", "SUMME", "平均"],
        "type_vocab_sizes": [2, 14, 50, 2],
    },
    std=0.4,
    seed=4,
    tokenizer={
        "lower_case": False,
        "strip_accents": True,
        "tokenize_chinese_chars": False,
        "model_max_length": 110,
        "cell_trim_length": 4,
        "max_row_id": 20,
        "max_column_id": 13,
        "strip_column_names": True,
        "min_question_length": 3,
        "max_question_length": 30,
    },
    rewrite=[vocab_txt(lower_case=False), calibrate],
)
# Aggregations without names are not answered. The files are those of an old checkpoint: only vocab.txt.
add(
    "tapas-no-labels",
    TABLES,
    pick(table_cases(), *SHORT),
    model_type="tapas",
    make_tokenizer=tapas_tokenizer,
    config={**TAPAS, "num_aggregation_labels": 2, "max_position_embeddings": 6, "is_decoder": True},
    std=0.4,
    seed=2,
    rewrite=[vocab_txt(), calibrate, only_vocab_txt],
)
like("tapas-wtq", "tapas-wtq-torch-zip", pick(table_cases(), "default"), W.torch_zip, same_as="tapas-wtq")
