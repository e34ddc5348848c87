"""One file per family: its tokenizer and its checkpoints. Importing it adds them to the table; alphabetic."""

from . import bart  # noqa: F401
from . import gpt2  # noqa: F401
from . import llama  # noqa: F401
from . import falcon, gemma, gpt_neo, gptj, mistral, opt, phi, qwen, stablelm, starcoder2  # noqa: F401
from . import albert  # noqa: F401
from . import audio_spectrogram_transformer  # noqa: F401
from . import camembert  # noqa: F401
from . import deberta  # noqa: F401
from . import deberta_v2  # noqa: F401
from . import electra  # noqa: F401
from . import embeddings  # noqa: F401
from . import longformer  # noqa: F401
from . import masked_lm  # noqa: F401
from . import mobilebert  # noqa: F401
from . import modernbert  # noqa: F401
from . import mpnet  # noqa: F401
from . import tapas  # noqa: F401
from . import wav2vec2  # noqa: F401
from . import whisper  # noqa: F401
from . import xlnet  # noqa: F401
from . import decoder_heads  # noqa: F401 - after the families that it has more of
from . import vit, deit, dinov2, resnet, convnext  # noqa: F401
