"""The texts: a small multilingual corpus for the tokenizers, and inputs for the cases.

The corpus is the only training data of the tokenizers, so their vocabularies are tiny: many words of the inputs
split into several tokens, and some characters are unknown on purpose.
"""

CORPUS: list[str] = [
    "The quick brown fox jumps over the lazy dog near the river bank.",
    "My name is Sarah Connor and I live in Los Angeles, California.",
    "Angela Merkel visited Paris in March 2019 with the president of France.",
    "The United Nations opened an office in New York and another one in Geneva.",
    "I love this movie, it was really good! I hate that one, it was terribly bad.",
    "The food was not good at all, but the service was excellent.",
    "What is the capital of Germany? The capital of Germany is Berlin.",
    "A man is eating food. A man is eating a piece of bread. The girl is carrying a baby.",
    "Call me at 415-555-0132 or write to sarah@example.com before 10:30.",
    "In 1998 they paid $3.50 for 12 eggs, in 2024 it is 100% more.",
    "Unbelievable, unhappy, unlucky, reading, writing, walking, talking, working, worker, workers.",
    "International cooperation between organisations is necessary and possible.",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "Größe, Straße, Übung, Köln, München und Zürich sind schöne Wörter.",
    "Ich heiße Jürgen und wohne in Düsseldorf bei meiner Schwester.",
    "Le garçon mange une crème brûlée près du château, où étiez-vous?",
    "Je m'appelle Amélie et j'habite à Montréal avec François.",
    "El niño español comió una piña mañana, ¿verdad? ¡Sí, señor!",
    "São Paulo é a maior cidade do Brasil.",
    "我爱北京天安门。北京是中国的首都。",
    "我们在上海学习中文，今天天气很好。",
    "東京は日本の首都です。",
    "أنا أحب القراءة في المكتبة. القاهرة مدينة كبيرة في مصر.",
    "السلام عليكم ورحمة الله",
    "Привет мир, Москва большой город.",
    "Happy birthday 😀 🎉 I love you ❤ 👍 see you soon 😀",
    "Don't say \u201chello\u201d, it isn't \u2018polite\u2019 \u2014 we're leaving\u2026",
]

# Inputs of very mixed lengths: the runner re-runs them in batches of 1, 2 and 8.
MIXED: list[str] = [
    "Sarah lives in Paris.",
    "Hi",
    "Angela Merkel visited the United Nations in New York, and then the president of France called her in Berlin.",
    "I love this movie!",
    "我爱北京天安门。",
    "The food was not good at all, but the service in Zürich was excellent.",
    "x",
    "What is the capital of Germany?",
    "Der schnelle Hund wohnt in Düsseldorf 😀 bei François.",
    "10:30",
]

# Texts that are hard for offsets: they count code points, not bytes nor UTF-16 units.
UNICODE: list[str] = [
    "Je m'appelle Amélie et j'habite à Montréal.",
    "e\u0301tude de la cre\u0300me bru\u0302le\u0301e a\u0300 Zu\u0308rich",
    "Family \U0001F468\u200D\U0001F469\u200D\U0001F467 and \U0001F44D\U0001F3FD in Paris \U0001F600",
    "我爱北京天安门 and 東京は日本",
    "القاهرة مدينة كبيرة في مصر",
    "السَّلامُ عَلَيكُم",
    "\u201cHello\u201d \u2014 said O\u2019Brien\u2026 it\u2019s \u2018fine\u2019",
    "tabs\tand\nnew lines\r\nin Berlin",
    "two  spaces   and    more  ",
    "  leading spaces in Paris",
    "ﬁne ligature, ½ cup, № 5, Ⅷ, ＦＵＬＬ width",
    "İstanbul and ISTANBUL, ẞ and ß, Ǆ",
    "zero\u200bwidth\u00a0space\u3000ideographic\u2003em",
    "\ufeffBOM then Paris",
    "हिन्दी में पेरिस and ไทย 한국어 Việt Nam",
    "Москва большой город",
]

# Characters that normalizers remove. Kept apart: NUL is awkward in some hosts.
CONTROL: list[str] = [
    "NUL\u0000inside Paris\u0000",
    "\u0001\u0002 bell \u0007 Sarah \u007f Connor \u009f",
    "repl \ufffd char in Berlin",
]

# Words that are not in any vocabulary.
UNKNOWN: list[str] = [
    "ㄅㄆㄇ lives in ꙮ near ჯორჯია",
    "Sarah 🜁 Connor 🜂🜃 Paris",
    "☃",
]

# Special tokens written in the text.
SPECIALS_BERT: list[str] = ["a [MASK] in [SEP] Paris [CLS] x [PAD] [UNK]", "[MASK]", "[mask]"]
SPECIALS_ROBERTA: list[str] = ["a <mask> in </s> Paris <s> x <pad> <unk>", "<mask>", "x<mask>y"]

LONG: str = (
    "Angela Merkel visited Paris in March 2019 with the president of France, and then Sarah Connor from Los Angeles "
    "called the United Nations office in Geneva about the terribly bad food. Jürgen wohnt in Düsseldorf bei seiner "
    "Schwester, aber Amélie habite à Montréal avec François. The capital of Germany is Berlin, not München, and the "
    "quick brown fox lives near the river bank in New York. 我们在上海学习中文，北京是中国的首都。 In 2024 it is 100% more!"
)
LONG_2: str = (
    "I love this movie, it was really good! The service in Zürich was excellent \U0001F600 but unbelievable workers "
    "were walking and talking in Köln. Москва большой город. القاهرة مدينة كبيرة في مصر. "
    "O\u2019Brien paid $3.50 for 12 eggs\u2026"
)
