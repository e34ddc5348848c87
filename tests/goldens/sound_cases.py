"""The cases of the tasks over sounds: inputs and call parameters."""

from __future__ import annotations

from typing import Any

from cases import Case
from sounds import array

VOICE, LONG, SHORT = "media/voice.wav", "media/voice-long.flac", "media/voice-short.wav"
STEREO, SLOW = "media/voice-stereo.wav", "media/voice-8k.wav"
FILES = [VOICE, SHORT, LONG, STEREO]
ARRAY: dict[str, Any] = {"array": array(0.08, 7), "sampling_rate": 16_000}
RAW: dict[str, Any] = {"raw": array(0.06, 8), "sampling_rate": 16_000}


def classification_cases() -> list[Case]:
    return [
        Case("default", [*FILES, VOICE]),
        Case("another_rate", [SLOW]),
        Case("top_2", FILES, {"top_k": 2}),
        Case("top_1", FILES[:2], {"top_k": 1}),
        Case("top_null", FILES[:2], {"top_k": None}),
        Case("top_more_than_there_are", FILES[:1], {"top_k": 50}),
        Case("top_0", FILES[:1], {"top_k": 0}),
        Case("top_negative", FILES[:1], {"top_k": -1}, error=True),
        Case("sigmoid", FILES, {"function_to_apply": "sigmoid"}),
        Case("none", FILES, {"function_to_apply": "none", "top_k": 3}),
        Case("function_null", FILES[:2], {"function_to_apply": None}),
        Case("function_in_capitals", FILES[:1], {"function_to_apply": "SOFTMAX"}, error=True),
        Case("array", [ARRAY, {**RAW, "array": [0.5]}, {**ARRAY, "path": "nowhere.wav", "id": 3}]),
        Case("array_without_rate", [{"array": [0.1, 0.2]}], error=True),
        Case("array_of_two_channels", [{"array": [[0.1] * 900, [0.2] * 900], "sampling_rate": 16_000}], error=True),
        Case("missing_file", ["media/no-such-voice.wav"], error=True),
    ]


def short_classification_cases() -> list[Case]:
    return [Case("default", [*FILES, VOICE]), Case("none", FILES, {"function_to_apply": "none"})]


def ctc_cases() -> list[Case]:
    channels = {"array": [array(0.05, 9), array(0.05, 10)], "sampling_rate": 16_000}
    return [
        Case("default", [*FILES, VOICE]),
        Case("another_rate", [SLOW]),
        Case("char", FILES, {"return_timestamps": "char"}),
        Case("word", [*FILES, SHORT], {"return_timestamps": "word"}),
        Case("timestamps_true", FILES[:1], {"return_timestamps": True}, error=True),
        Case("timestamps_false", FILES[:1], {"return_timestamps": False}, error=True),
        Case("timestamps_of_sentences", FILES[:1], {"return_timestamps": "sentence"}, error=True),
        Case("language", FILES[:1], {"return_language": True}, error=True),
        Case("ignored", FILES[:2], {"ignore_warning": True, "generate_kwargs": {"num_beams": 3}}),
        Case("chunks", FILES, {"chunk_length_s": 1}),
        Case("chunks_char", [LONG, VOICE], {"chunk_length_s": 0.7, "return_timestamps": "char"}),
        Case("chunks_word", [LONG, STEREO], {"chunk_length_s": 0.9, "return_timestamps": "word", "ignore_warning": False}),
        Case("chunks_stride", FILES, {"chunk_length_s": 0.8, "stride_length_s": 0.13}),
        Case("chunks_strides", FILES, {"chunk_length_s": 0.8, "stride_length_s": [0.3, 0.05], "return_timestamps": "char"}),
        Case("chunks_stride_left", [LONG], {"chunk_length_s": 0.6, "stride_length_s": [0.2, 0]}),
        Case("chunks_no_stride", [VOICE], {"chunk_length_s": 0.5, "stride_length_s": 0}),
        Case("chunks_longer_than_the_sound", [SHORT], {"chunk_length_s": 30, "stride_length_s": [4, 2]}),
        Case("chunks_0", [SHORT], {"chunk_length_s": 0, "stride_length_s": 5}),
        Case("stride_alone", [SHORT], {"stride_length_s": 5}),
        Case("chunks_all_stride", [LONG], {"chunk_length_s": 1, "stride_length_s": 0.5}, error=True),
        Case("chunks_more_stride", [LONG], {"chunk_length_s": 1, "stride_length_s": [0.9, 0.2]}, error=True),
        Case("array", [ARRAY, RAW, {**ARRAY, "path": "nowhere.wav"}], {"return_timestamps": "char"}),
        Case("extra", [{**ARRAY, "id": 3, "name": "a"}, {**RAW, "array": [0.1], "path": "nowhere.wav"}]),
        Case("extra_chunks", [{**ARRAY, "id": 3}], {"chunk_length_s": 0.04}),
        Case("stride", [{**ARRAY, "stride": [330, 320]}, {**RAW, "stride": [0, 480]}], {"return_timestamps": "char"}),
        Case("stride_all", [{**ARRAY, "stride": [1280, 0]}]),
        Case("stride_too_large", [{**ARRAY, "stride": [1000, 1000]}], error=True),
        Case("channels", [channels]),
        Case("array_without_rate", [{"array": [0.1, 0.2]}], error=True),
        Case("array_too_short", [{"array": [0.1, 0.2], "sampling_rate": 16_000}], error=True),
        Case("missing_file", ["media/no-such-voice.wav"], error=True),
    ]


def short_ctc_cases() -> list[Case]:
    return [
        Case("default", [*FILES, VOICE]),
        Case("char", FILES, {"return_timestamps": "char"}),
        Case("word", [*FILES, SHORT], {"return_timestamps": "word"}),
        Case("chunks_strides", FILES, {"chunk_length_s": 0.8, "stride_length_s": [0.3, 0.05], "return_timestamps": "char"}),
    ]
