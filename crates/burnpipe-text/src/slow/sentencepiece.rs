//! The file format of SentencePiece: the fields of `sentencepiece_model.proto` that matter here.
//!
//! `prost` makes a getter for each optional field, which gives the default when the file does not.

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use prost::Message;

use crate::files;

/// A piece that stands for every unknown character.
const UNKNOWN: i32 = 2;
/// A piece that is never found in a text, such as `<s>`.
pub(super) const CONTROL: i32 = 3;
/// A piece that is found in a text before anything else.
pub(super) const USER_DEFINED: i32 = 4;

/// `TrainerSpec.ModelType`.
pub(super) const UNIGRAM: i32 = 1;
pub(super) const BPE: i32 = 2;

/// A SentencePiece model.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    pub(super) trainer_spec: Option<TrainerSpec>,
    #[prost(message, optional, tag = "3")]
    pub(super) normalizer_spec: Option<NormalizerSpec>,
}

/// A token with its log probability or, in BPE, its rank.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3", default = "1")]
    kind: Option<i32>,
}

impl Piece {
    pub(super) fn is_unknown(&self) -> bool {
        self.kind() == UNKNOWN
    }
}

/// How the model was trained.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TrainerSpec {
    #[prost(int32, optional, tag = "3", default = "1")]
    model_type: Option<i32>,
    #[prost(int32, optional, tag = "40", default = "0")]
    unk_id: Option<i32>,
    #[prost(string, optional, tag = "45", default = "<unk>")]
    unk_piece: Option<String>,
}

/// How text is rewritten before it is split.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NormalizerSpec {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
}

/// Reads a model and checks that it is whole.
pub(super) fn read(model: &dyn ModelFiles, file: &str) -> Result<(ModelProto, TrainerSpec)> {
    let bytes = files::require(model, file, &[file])?;
    let proto = ModelProto::decode(&*bytes).context(ErrorKind::Tokenizer, || files::broken(model, file))?;
    let complete = proto.normalizer_spec.is_some() && proto.pieces.iter().any(Piece::is_unknown);
    let trainer_spec = proto.trainer_spec.clone().filter(|_| complete);
    // Pieces come first in the file, so that one cut off between two of them still decodes.
    let trainer_spec =
        trainer_spec.ok_or_else(|| Error::new(ErrorKind::Tokenizer, files::broken(model, file)))?;
    Ok((proto, trainer_spec))
}
