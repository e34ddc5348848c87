//! How parameters are written in JSON where that is not plain.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// One phrase that must be made, or several of which one must.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "neither a list of tokens nor a list of such lists")]
pub enum ForcedWords {
    /// These tokens.
    Phrase(Vec<u32>),
    /// One of these sequences of tokens.
    OneOf(Vec<Vec<u32>>),
}

/// When a beam search ends: `early_stopping`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// `false`: when it is unlikely that a better one comes.
    #[default]
    No,
    /// `true`: as soon as there are as many finished ones as beams.
    Yes,
    /// `"never"`: when a better one cannot come.
    Never,
}

impl<'de> Deserialize<'de> for EarlyStopping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(true) => Ok(Self::Yes),
            Value::Bool(false) => Ok(Self::No),
            Value::String(word) if word == "never" => Ok(Self::Never),
            other => Err(D::Error::custom(format!("{other} is not true, false or \"never\""))),
        }
    }
}

impl Serialize for EarlyStopping {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::No => serializer.serialize_bool(false),
            Self::Yes => serializer.serialize_bool(true),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "neither a value that fits nor a list of them")]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    fn into_list(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

/// Reads a value or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Ok(Option::<OneOrMany<T>>::deserialize(deserializer)?.map(OneOrMany::into_list))
}

/// Reads a token or a list of them. Some checkpoints write -1 for none, which Python compares with tokens in
/// vain.
pub(super) fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u32>>, D::Error> {
    let Some(written) = one_or_many::<D, i64>(deserializer)? else { return Ok(None) };
    let tokens = written.into_iter().filter(|token| *token >= 0);
    let token = |token| {
        u32::try_from(token).map_err(|_| D::Error::custom(format!("{token} is too large for a token")))
    };
    tokens.map(token).collect::<Result<_, _>>().map(Some)
}

/// Reads a token; of a list the first.
pub(super) fn token<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Ok(tokens(deserializer)?.and_then(|tokens| tokens.first().copied()))
}

/// A sequence of tokens and what is added to the score of its last.
type Bias = (Vec<u32>, f64);

/// Reads `[[[1, 2], 0.5], ..]`, or the older `{"(1, 2)": 0.5, ..}`, whose keys are Python's tuples.
pub(super) fn sequence_bias<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Bias>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "neither a list such as [[[1, 2], 0.5]] nor an object such as {\"(1, 2)\": 0.5}"
    )]
    enum Written {
        List(Vec<Bias>),
        Object(Map<String, Value>),
    }
    let object = match Option::<Written>::deserialize(deserializer)? {
        None => return Ok(None),
        Some(Written::List(list)) => return Ok(Some(list)),
        Some(Written::Object(object)) => object,
    };
    let entry = |(key, bias): (String, Value)| {
        let tuple = key.trim().trim_start_matches('(').trim_end_matches(')').trim_end_matches(',');
        let tokens = tuple.split(',').map(|token| token.trim().parse()).collect::<Result<Vec<u32>, _>>();
        let tokens =
            tokens.map_err(|_| D::Error::custom(format!("`{key}` is no tuple of tokens such as (1, 2)")));
        let bias =
            bias.as_f64().ok_or_else(|| D::Error::custom(format!("the bias {bias} of `{key}` is no number")));
        Ok((tokens?, bias?))
    };
    object.into_iter().map(entry).collect::<Result<_, _>>().map(Some)
}
