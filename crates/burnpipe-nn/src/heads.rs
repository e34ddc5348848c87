//! Kinds of heads, and what an architecture offers.

use burn::module::Module;
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result, quoted};
use burnpipe_hub::Checkpoint;

use crate::weights::{WeightNames, Weights};
use crate::{BatchLayout, KvCache, Placement, SoundBatch, SourceCache, TableBatch, TokenBatch, TokenStep};

/// A model without a head: token ids in, the last hidden state out.
pub trait Encoder: Send + Sync {
    /// How the model takes several texts.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// # Shapes
    ///
    /// - result: `[rows, tokens, hidden]`, as the batch lies
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>>;
}

/// Scores the labels of a sound.
pub trait AudioClassifier: Send + Sync {
    /// How the model takes several sounds: one by one where their layout is joined, those of one shape together
    /// elsewhere.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// # Shapes
    ///
    /// - result: logits, `[sounds, labels]`
    ///
    /// # Errors
    ///
    /// When the model cannot take sounds of this shape.
    fn forward(&self, sounds: &SoundBatch) -> Result<Tensor<2>>;
}

/// Scores, for every step in time of a sound, the letters that may be heard there: connectionist temporal
/// classification (CTC). A blank between letters is one of them.
pub trait CtcModel: Send + Sync {
    /// How the model takes several sounds: one by one where their layout is joined, those of one shape together
    /// elsewhere.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// Samples of a step in time, as timestamps are computed.
    fn inputs_to_logits_ratio(&self) -> usize;

    /// # Shapes
    ///
    /// - result: logits, `[sounds, steps, letters]`
    ///
    /// # Errors
    ///
    /// When the model cannot take sounds of this shape.
    fn forward(&self, sounds: &SoundBatch) -> Result<Tensor<3>>;
}

/// Scores the labels of an image.
pub trait ImageClassifier: Send + Sync {
    /// # Shapes
    ///
    /// - `pixels`: `[images, channels, height, width]`
    /// - result: logits, `[images, labels]`
    ///
    /// # Errors
    ///
    /// When the model cannot take images of this size.
    fn forward(&self, pixels: Tensor<4>) -> Result<Tensor<2>>;
}

/// A model without a head: images in, the last hidden state out.
pub trait ImageEncoder: Send + Sync {
    /// # Shapes
    ///
    /// - `pixels`: `[images, channels, height, width]`
    ///
    /// # Errors
    ///
    /// When the model cannot take images of this size.
    fn forward(&self, pixels: Tensor<4>) -> Result<ImageEncoding>;
}

/// What an [`ImageEncoder`] makes of images.
#[derive(Clone, Debug)]
pub struct ImageEncoding {
    /// Of a transformer `[patches, hidden]`, with the tokens that are no patches; of a convolutional network
    /// `[channels, height, width]`.
    pub last_hidden_state: ImageNumbers,
    /// Of a model with a pooler: `[hidden]`, or `[channels, 1, 1]`.
    pub pooler_output: Option<ImageNumbers>,
}

/// Numbers of images, as many of each.
#[derive(Clone, Debug)]
pub struct ImageNumbers {
    /// `[images, numbers]`
    pub values: Tensor<2>,
    /// The shape of one image's numbers.
    pub shape: Vec<usize>,
}

impl<const D: usize> From<Tensor<D>> for ImageNumbers {
    /// Of a tensor whose first dimension is the images.
    fn from(tensor: Tensor<D>) -> Self {
        let shape: [usize; D] = tensor.dims();
        let numbers = shape[1..].iter().product();
        Self { values: tensor.reshape([shape[0], numbers]), shape: shape[1..].to_vec() }
    }
}

/// Scores what comes next in a text.
pub trait CausalLm: Send + Sync {
    /// A cache without rows, for [`forward`](Self::forward).
    fn cache(&self) -> KvCache;

    /// How many tokens a text may have; `None` for as many as there is memory for.
    fn positions(&self) -> Option<usize>;

    /// How many tokens there are to choose from.
    fn vocabulary(&self) -> usize;

    /// Runs new tokens, keeps their keys and values, and gives their last hidden states. The caller counts them
    /// by [`KvCache::extend`].
    ///
    /// # Shapes
    ///
    /// - result: `[1, tokens, hidden]`
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens.
    fn forward(&self, step: &TokenStep, cache: &mut KvCache) -> Result<Tensor<3>>;

    /// The scores of the tokens that could follow, by last hidden states.
    ///
    /// # Shapes
    ///
    /// - `hidden`: `[positions, hidden]`
    /// - result: logits, `[positions, vocabulary]`
    fn logits(&self, hidden: Tensor<2>) -> Tensor<2>;
}

/// Scores what comes next in a text about something that an encoder has read: the decoder's half, which is the same
/// for texts, sounds and images.
pub trait Seq2SeqLm: Send + Sync {
    /// A cache without rows, for [`forward`](Self::forward).
    fn cache(&self) -> KvCache;

    /// How many tokens a text may have; `None` for as many as there is memory for.
    fn positions(&self) -> Option<usize>;

    /// How many tokens there are to choose from.
    fn vocabulary(&self) -> usize;

    /// Runs new tokens as [`CausalLm::forward`] does. `sources` are what the step's texts are about, one for each.
    ///
    /// # Shapes
    ///
    /// - result: `[1, tokens, hidden]`
    ///
    /// # Errors
    ///
    /// When the model cannot take the tokens.
    fn forward(&self, step: &TokenStep, sources: &[&SourceCache], cache: &mut KvCache) -> Result<Tensor<3>>;

    /// The scores of the tokens that could follow, by last hidden states.
    ///
    /// # Shapes
    ///
    /// - `hidden`: `[positions, hidden]`
    /// - result: logits, `[positions, vocabulary]`
    fn logits(&self, hidden: Tensor<2>) -> Tensor<2>;
}

/// Writes what is said in a sound.
pub trait SpeechSeq2Seq: Seq2SeqLm {
    /// How the model takes several sounds: one by one where their layout is joined, those of one shape together
    /// elsewhere.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// Reads sounds, once for all tokens that are written about them.
    ///
    /// # Errors
    ///
    /// When the model cannot take sounds of this shape.
    fn encode(&self, sounds: &SoundBatch) -> Result<Vec<SourceCache>>;

    /// How much some heads, named by layer and place, look at each position of a sound when they read each token of
    /// a text about it.
    ///
    /// # Shapes
    ///
    /// - result: `[heads, tokens, positions]`
    ///
    /// # Errors
    ///
    /// When there is no such head, or the model cannot take the tokens.
    fn cross_attentions(
        &self,
        tokens: &[u32],
        source: &SourceCache,
        heads: &[(usize, usize)],
    ) -> Result<Tensor<3>>;
}

/// Scores the labels of a whole text.
pub trait SequenceClassifier: Send + Sync {
    /// How the model takes several texts.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// # Shapes
    ///
    /// - result: logits, `[texts, labels]`
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<2>>;
}

/// Scores the labels of every token.
pub trait TokenClassifier: Send + Sync {
    /// How the model takes several texts.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// # Shapes
    ///
    /// - result: logits, `[rows, tokens, labels]`, as the batch lies
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>>;
}

/// Scores the vocabulary at chosen tokens, as what could stand there.
pub trait MaskedLm: Send + Sync {
    /// How the model takes several texts.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// Only the tokens at `positions` go through the head, whose output is as wide as the vocabulary.
    /// Positions count tokens row after row, as [`TokenBatch::texts`] does.
    ///
    /// # Shapes
    ///
    /// - result: logits, `[positions, vocabulary]`
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TokenBatch, positions: &[usize]) -> Result<Tensor<2>>;
}

/// Scores every token as the first and as the last of an answer.
pub trait QuestionAnswerer: Send + Sync {
    /// How the model takes several texts.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// # Shapes
    ///
    /// - result: logits of start and end, `[rows, tokens, 2]`, as the batch lies
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TokenBatch) -> Result<Tensor<3>>;
}

/// Scores the cells of a table as parts of an answer, and the ways of putting them together.
pub trait TableQuestionAnswerer: Send + Sync {
    /// How the model takes several questions.
    fn layout(&self) -> BatchLayout {
        BatchLayout::Padded
    }

    /// The scores of each question, on the host: those of tokens are averaged by cells and columns, which are
    /// known there.
    ///
    /// # Errors
    ///
    /// When the model cannot take the batch.
    fn forward(&self, batch: &TableBatch) -> Result<Vec<TableLogits>>;
}

/// The scores of one question about a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableLogits {
    /// Of every token, padding of the question's own included: the logit of its cell being part of the answer.
    pub tokens: Vec<f32>,
    /// Of every way of putting cells together; empty for a model that only chooses cells.
    pub aggregation: Vec<f32>,
}

/// What a model is loaded from and onto.
#[derive(Clone, Debug)]
pub struct LoadContext<'a> {
    /// Its files.
    pub checkpoint: &'a Checkpoint,
    /// Where it goes.
    pub placement: &'a Placement,
}

impl LoadContext<'_> {
    /// How many labels a classifier has.
    ///
    /// # Errors
    ///
    /// When the config's labels are broken, or none.
    pub fn label_count(&self) -> Result<usize> {
        let count = self.checkpoint.config()?.labels()?.len();
        if count == 0 {
            let message =
                format!("`config.json` of `{}` has no labels: `id2label` is empty", self.checkpoint.name());
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(count)
    }

    /// Fills a module with the checkpoint's weights.
    ///
    /// # Errors
    ///
    /// When a weight is missing, has another shape or is not known: all of them in one error.
    pub fn fill<M: Module>(&self, module: M, names: &WeightNames) -> Result<M> {
        Weights::open(self.checkpoint)?.fill(module, names, self.placement)
    }
}

/// Makes a head of a checkpoint.
pub type Loader<H> = fn(&LoadContext<'_>) -> Result<Box<H>>;

/// The heads that an architecture offers.
///
/// ```
/// use burnpipe_nn::Heads;
///
/// assert!(Heads::NONE.names().is_empty());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Labels of a sound.
    pub audio_classifier: Option<Loader<dyn AudioClassifier>>,
    /// What comes next in a text.
    pub causal_lm: Option<Loader<dyn CausalLm>>,
    /// The letters that are heard at every step in time.
    pub ctc_model: Option<Loader<dyn CtcModel>>,
    /// The model without a head.
    pub encoder: Option<Loader<dyn Encoder>>,
    /// Labels of an image.
    pub image_classifier: Option<Loader<dyn ImageClassifier>>,
    /// The model of images without a head.
    pub image_encoder: Option<Loader<dyn ImageEncoder>>,
    /// Words for masked tokens.
    pub masked_lm: Option<Loader<dyn MaskedLm>>,
    /// Where an answer starts and ends.
    pub question_answerer: Option<Loader<dyn QuestionAnswerer>>,
    /// Labels of a text.
    pub sequence_classifier: Option<Loader<dyn SequenceClassifier>>,
    /// What is said in a sound.
    pub speech_seq2seq: Option<Loader<dyn SpeechSeq2Seq>>,
    /// Which cells of a table answer a question.
    pub table_question_answerer: Option<Loader<dyn TableQuestionAnswerer>>,
    /// Labels of tokens.
    pub token_classifier: Option<Loader<dyn TokenClassifier>>,
}

impl Heads {
    /// No head at all, to start a record from.
    pub const NONE: Self = Self {
        audio_classifier: None,
        causal_lm: None,
        ctc_model: None,
        encoder: None,
        image_classifier: None,
        image_encoder: None,
        masked_lm: None,
        question_answerer: None,
        sequence_classifier: None,
        speech_seq2seq: None,
        table_question_answerer: None,
        token_classifier: None,
    };

    /// The names of the heads that are there.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            ("audio-classifier", self.audio_classifier.is_some()),
            ("causal-lm", self.causal_lm.is_some()),
            ("ctc-model", self.ctc_model.is_some()),
            ("encoder", self.encoder.is_some()),
            ("image-classifier", self.image_classifier.is_some()),
            ("image-encoder", self.image_encoder.is_some()),
            ("masked-lm", self.masked_lm.is_some()),
            ("question-answerer", self.question_answerer.is_some()),
            ("sequence-classifier", self.sequence_classifier.is_some()),
            ("speech-seq2seq", self.speech_seq2seq.is_some()),
            ("table-question-answerer", self.table_question_answerer.is_some()),
            ("token-classifier", self.token_classifier.is_some()),
        ];
        all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }
}

/// An architecture: the `model_type` of config.json and what can be loaded of it.
#[derive(Clone, Copy, Debug)]
pub struct Architecture {
    /// As config.json writes it.
    pub model_type: &'static str,
    /// What it offers.
    pub heads: Heads,
}

impl Architecture {
    /// A head, or an error that names the heads that are there.
    ///
    /// # Errors
    ///
    /// When the architecture has no such head.
    pub fn head<H: ?Sized>(&self, name: &str, loader: Option<Loader<H>>) -> Result<Loader<H>> {
        loader.ok_or_else(|| {
            let offered = quoted(self.heads.names());
            let message =
                format!("architecture `{}` has no `{name}` head; it offers {offered}", self.model_type);
            Error::new(ErrorKind::MissingHead, message)
        })
    }
}
