//! The files that say how a repository makes one vector of a text: sentence-transformers'
//! `modules.json` and what it names.
//!
//! Reference: `SentenceTransformer.encode`, `models/Pooling.py` and `models/Dense.py` of
//! sentence-transformers 5.1.0.

use burn::module::Module;
use burn::tensor::{DType, Tensor, TensorData};
use burnpipe_core::{Error, ErrorContext, ErrorKind, Result, quoted, suggestion};
use burnpipe_hub::Checkpoint;
use burnpipe_nn::{Activation, ActivationLayer, Linear, LoadContext, Placement, WeightNames, Weights};
use serde::Deserialize;
use serde_json::Value;

use super::pooling::{Pooling, Tokens};
use crate::text_features::read_back;

/// What `modules.json` and the files beside it say.
pub(super) struct SentenceTransformer {
    /// Their vectors stand one after the other.
    poolings: Vec<Pooling>,
    /// Whether the tokens of a prompt count.
    include_prompt: bool,
    after: Vec<Step>,
    /// The most tokens of a text, if the files say.
    pub(super) max_seq_length: Option<usize>,
    /// The most that the model has positions for.
    pub(super) max_position_embeddings: Option<usize>,
    pub(super) do_lower_case: bool,
    prompts: Vec<(String, String)>,
    default_prompt_name: Option<String>,
    placement: Placement,
}

/// What happens to the pooled vector.
enum Step {
    Dense(Box<Dense>),
    Normalize,
}

/// A linear layer and an activation, `models/Dense.py`.
#[derive(Module, Debug)]
struct Dense {
    linear: Linear,
    activation_function: ActivationLayer,
    #[module(skip)]
    in_features: usize,
}

/// The names under which versions of the library have written the encoder's settings.
const TRANSFORMER_FILES: [&str; 7] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
];

impl SentenceTransformer {
    /// Reads the files; `None` when the repository has none.
    pub(super) fn read(context: &LoadContext<'_>) -> Result<Option<Self>> {
        let checkpoint = context.checkpoint;
        let Some(modules) = checkpoint.json("modules.json")? else { return Ok(None) };
        let transformer = transformer_settings(checkpoint)?;
        let count = |value: Option<&Value>| value?.as_u64()?.try_into().ok();
        let general = checkpoint.json("config_sentence_transformers.json")?.unwrap_or(Value::Null);
        let prompts = general["prompts"].as_object().into_iter().flatten();
        let mut recipe = Self {
            poolings: vec![Pooling::Mean],
            include_prompt: true,
            after: Vec::new(),
            max_seq_length: count(transformer.get("max_seq_length")),
            max_position_embeddings: count(checkpoint.config()?.get("max_position_embeddings")),
            do_lower_case: transformer["do_lower_case"].as_bool().unwrap_or(false),
            prompts: prompts.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.into()))).collect(),
            default_prompt_name: general["default_prompt_name"].as_str().map(str::to_string),
            placement: context.placement.clone(),
        };
        for module in modules.as_array().into_iter().flatten() {
            recipe.add(module, context)?;
        }
        Ok(Some(recipe))
    }

    fn add(&mut self, module: &Value, context: &LoadContext<'_>) -> Result<()> {
        let class = module["type"].as_str().unwrap_or_default();
        let folder = module["path"].as_str().unwrap_or_default();
        let refused = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
        match class.rsplit('.').next().unwrap_or_default() {
            "Transformer" if folder.is_empty() => {}
            "Transformer" => {
                let name = context.checkpoint.name();
                return refused(format!(
                    "`modules.json` of `{name}` keeps the encoder in `{folder}`; load that folder by its path and choose a `pooling`"
                ));
            }
            "Normalize" => self.after.push(Step::Normalize),
            "Dense" => {
                self.after.push(Step::Dense(Box::new(Dense::load(context, folder)?)));
            }
            "Pooling" => {
                let config = module_config(context.checkpoint, folder)?;
                self.poolings = poolings(&config, context.checkpoint, folder)?;
                self.include_prompt = config["include_prompt"].as_bool().unwrap_or(true);
            }
            _ => {
                let name = context.checkpoint.name();
                return refused(format!(
                    "`modules.json` of `{name}` asks for `{class}`, which is not supported"
                ));
            }
        }
        Ok(())
    }

    /// The prompt of this name, or without a name the repository's own.
    pub(super) fn prompt(&self, name: Option<&str>) -> Result<Option<&str>> {
        let find = |wanted: &str| {
            let found = self.prompts.iter().find(|(name, _)| name == wanted);
            found.map(|(_, text)| text.as_str())
        };
        let Some(name) = name else {
            return Ok(self.default_prompt_name.as_deref().and_then(find));
        };
        find(name).map(Some).ok_or_else(|| {
            let known = match self.prompts.is_empty() {
                true => "the repository has no prompts; write the text as `prompt`".to_string(),
                false => suggestion(name, self.prompts.iter().map(|(name, _)| name.as_str())),
            };
            Error::new(ErrorKind::Parameter, format!("parameter `prompt_name`: unknown `{name}`; {known}"))
        })
    }

    /// Whether a prompt's tokens are left out.
    pub(super) fn leaves_prompt_out(&self) -> bool {
        !self.include_prompt
    }

    /// One vector of each text: pooled, and then through the modules that follow.
    pub(super) fn embed(&self, texts: &[Tokens<'_>]) -> Result<Vec<Vec<f32>>> {
        let pool = |tokens: &Tokens<'_>| -> Vec<f32> {
            self.poolings.iter().flat_map(|pooling| tokens.pool(*pooling)).collect()
        };
        let mut vectors: Vec<Vec<f32>> = texts.iter().map(pool).collect();
        for step in &self.after {
            match step {
                Step::Normalize => vectors.iter_mut().for_each(|vector| normalize(vector)),
                Step::Dense(dense) => vectors = dense.forward(&vectors, &self.placement)?,
            }
        }
        Ok(vectors)
    }
}

/// Scales a vector to length 1, as `torch.nn.functional.normalize`.
pub(super) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value /= length);
}

impl Dense {
    fn load(context: &LoadContext<'_>, folder: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Config {
            in_features: usize,
            out_features: usize,
            #[serde(default = "yes")]
            bias: bool,
            #[serde(default = "tanh")]
            activation_function: String,
        }
        let name = context.checkpoint.name();
        let config: Config = serde_json::from_value(module_config(context.checkpoint, folder)?)
            .context(ErrorKind::Config, || format!("`{folder}/config.json` of `{name}` cannot be used"))?;
        let activation = activation(&config.activation_function)?;
        let mut linear = Linear::new(config.in_features, config.out_features, context.placement);
        linear.bias = linear.bias.filter(|_| config.bias);
        let activation_function = ActivationLayer::new(activation, context.placement);
        let dense = Self { linear, activation_function, in_features: config.in_features };
        let names = WeightNames { base_model_prefix: "", is_base_model: true, renames: &[], ignored: &[] };
        Weights::open_in(context.checkpoint, folder)?.fill(dense, &names, context.placement)
    }

    /// `[texts][inputs]` to `[texts][outputs]`.
    fn forward(&self, vectors: &[Vec<f32>], placement: &Placement) -> Result<Vec<Vec<f32>>> {
        let inputs = vectors.first().map_or(0, Vec::len);
        let wanted = self.in_features;
        if inputs != wanted {
            let message = format!(
                "a `Dense` module of sentence-transformers takes {wanted} numbers, and the modules before it give {inputs}"
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let data = TensorData::new(vectors.concat(), [vectors.len(), inputs]);
        let x: Tensor<2> = Tensor::from_data(data, (&placement.device, DType::F32));
        let x = self.linear.forward_activated(x.cast(placement.dtype), &self.activation_function);
        let outputs = x.dims()[1];
        Ok(read_back(x)?.chunks(outputs.max(1)).map(<[f32]>::to_vec).collect())
    }
}

fn yes() -> bool {
    true
}

fn tanh() -> String {
    "Tanh".into()
}

/// The activation of a class of `torch.nn`, such as `torch.nn.modules.activation.Tanh`.
fn activation(class: &str) -> Result<Activation> {
    const KNOWN: [(&str, Activation); 6] = [
        ("GELU", Activation::Gelu),
        ("Identity", Activation::Linear),
        ("ReLU", Activation::Relu),
        ("SiLU", Activation::Silu),
        ("Sigmoid", Activation::Sigmoid),
        ("Tanh", Activation::Tanh),
    ];
    let name = class.rsplit('.').next().unwrap_or_default();
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    known.map(|(_, activation)| *activation).ok_or_else(|| {
        let known = quoted(KNOWN.iter().map(|(name, _)| *name));
        let message =
            format!("`activation_function` `{class}` of a `Dense` module is not supported; known: {known}");
        Error::new(ErrorKind::Unsupported, message)
    })
}

fn transformer_settings(checkpoint: &Checkpoint) -> Result<Value> {
    for file in TRANSFORMER_FILES {
        if let Some(settings) = checkpoint.json(file)? {
            return Ok(settings);
        }
    }
    Ok(Value::Null)
}

fn module_config(checkpoint: &Checkpoint, folder: &str) -> Result<Value> {
    let file = format!("{folder}/config.json");
    checkpoint.json(&file)?.ok_or_else(|| {
        let message = format!("`{}` has no `{file}`, which its `modules.json` names", checkpoint.name());
        Error::new(ErrorKind::MissingFile, message)
    })
}

/// The poolings that are switched on, in the order in which the library writes their vectors.
fn poolings(config: &Value, checkpoint: &Checkpoint, folder: &str) -> Result<Vec<Pooling>> {
    const MODES: [(&str, Pooling); 6] = [
        ("pooling_mode_cls_token", Pooling::Cls),
        ("pooling_mode_max_tokens", Pooling::Max),
        ("pooling_mode_mean_tokens", Pooling::Mean),
        ("pooling_mode_mean_sqrt_len_tokens", Pooling::MeanSqrtLen),
        ("pooling_mode_weightedmean_tokens", Pooling::WeightedMean),
        ("pooling_mode_lasttoken", Pooling::Last),
    ];
    let on = |key: &str| config[key] == Value::Bool(true);
    let asked: Vec<Pooling> = MODES.iter().filter(|(key, _)| on(key)).map(|(_, pooling)| *pooling).collect();
    let keys = config.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let strange = keys.filter(|key| key.starts_with("pooling_mode") && on(key));
    let strange: Vec<&str> = strange.filter(|key| MODES.iter().all(|(known, _)| known != key)).collect();
    if asked.is_empty() || !strange.is_empty() {
        let name = checkpoint.name();
        let what = if strange.is_empty() { "no pooling".to_string() } else { quoted(strange) };
        let message = format!("`{folder}/config.json` of `{name}` asks for {what}, which is not supported");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(asked)
}
