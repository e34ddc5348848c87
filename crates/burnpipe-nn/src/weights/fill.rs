//! Putting weights into a module: every parameter by its path, strictly.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result, quoted};

use super::Weights;
use super::stored::{Purpose, StoredTensor};
use crate::{Placement, ops};

/// How an architecture's module paths are written in checkpoints.
#[derive(Clone, Copy, Debug)]
pub struct WeightNames {
    /// The field that holds the model without its head in models with one, such as `bert`.
    /// Checkpoints with and without it load into either.
    pub base_model_prefix: &'static str,
    /// Whether the module is the model without a head.
    pub is_base_model: bool,
    /// Parts of a path that a Rust field cannot be called, and what checkpoints call them.
    pub renames: &'static [(&'static str, &'static str)],
    /// Keys that may be in the checkpoint without being read: a key is ignored when this is one of
    /// its dotted parts, or a run of them.
    pub ignored: &'static [&'static str],
}

impl Weights {
    /// The keys of the checkpoint, in order: for an architecture whose files differ in them.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Fills every parameter of a module.
    ///
    /// # Errors
    ///
    /// When a weight is missing, has another shape or is not known: all of them in one error.
    pub fn fill<M: Module>(&self, module: M, names: &WeightNames, placement: &Placement) -> Result<M> {
        let prefix = format!("{}.", names.base_model_prefix);
        let mut filler = Filler {
            weights: self,
            names,
            placement,
            prefixed: self.tensors.keys().any(|key| key.starts_with(&prefix)),
            path: Vec::new(),
            used: BTreeSet::new(),
            filled: None,
            tables: BTreeMap::new(),
            missing: Vec::new(),
            misshaped: Vec::new(),
            error: None,
        };
        let module = module.map(&mut filler);
        filler.finish()?;
        Ok(module)
    }
}

struct Filler<'a> {
    weights: &'a Weights,
    names: &'a WeightNames,
    placement: &'a Placement,
    /// Whether the checkpoint's keys have the base model's prefix.
    prefixed: bool,
    /// Where in the module we are.
    path: Vec<Step>,
    used: BTreeSet<&'a str>,
    /// The weight of a layer that was just filled: once out of it, it may have been packed.
    filled: Option<&'a StoredTensor>,
    /// The tables filled so far, for other tables that share one, and for layers where nothing is packed.
    tables: BTreeMap<String, Tensor<2>>,
    missing: Vec<String>,
    misshaped: Vec<String>,
    error: Option<Error>,
}

/// A step into a module.
struct Step {
    name: String,
    /// Whether it is a field of an [`Embedding`](crate::Embedding).
    in_embedding: bool,
    /// Whether it is the weight of a [`Linear`](crate::Linear).
    is_linear_weight: bool,
    /// Whether it is the weight of a [`Conv1d`](crate::Conv1d) or a [`Conv2d`](crate::Conv2d).
    is_filters: bool,
    /// Whether it goes into a variant of an enum, of which checkpoints say nothing.
    is_variant: bool,
}

impl<'a> Filler<'a> {
    /// The checkpoint's key of the parameter we are at.
    fn key(&self) -> String {
        let fields = self.path.iter().filter(|step| !step.is_variant);
        let path = fields.map(|step| step.name.as_str()).collect::<Vec<_>>().join(".");
        let path = self.names.renames.iter().fold(path, |path, (field, key)| path.replace(field, key));
        let prefix = self.names.base_model_prefix;
        match (self.names.is_base_model, self.prefixed) {
            (true, true) => format!("{prefix}.{path}"),
            (false, false) => {
                let bare = path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
                bare.map(str::to_string).unwrap_or(path)
            }
            (true, false) | (false, true) => path,
        }
    }

    fn stored(&mut self, key: &str) -> Option<&'a StoredTensor> {
        let found = self.weights.tensors.get_key_value(key);
        match found {
            Some((key, stored)) => {
                self.used.insert(key);
                Some(stored)
            }
            None => {
                self.missing.push(key.to_string());
                None
            }
        }
    }

    /// Whether HF, too, leaves this key alone.
    fn is_ignored(&self, key: &str) -> bool {
        let head_key = self.names.is_base_model
            && self.prefixed
            && !key.strip_prefix(self.names.base_model_prefix).is_some_and(|rest| rest.starts_with('.'));
        let dotted = format!(".{key}.");
        head_key || self.names.ignored.iter().any(|part| dotted.contains(&format!(".{part}.")))
    }

    fn finish(mut self) -> Result<()> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let unexpected = self.weights.tensors.keys().map(String::as_str);
        let unexpected: Vec<&str> =
            unexpected.filter(|key| !self.used.contains(key) && !self.is_ignored(key)).collect();
        let mut report = Vec::new();
        if !self.missing.is_empty() {
            report.push(format!("missing: {}", self.missing.join(", ")));
        }
        if !unexpected.is_empty() {
            report.push(format!("not known: {}", unexpected.join(", ")));
        }
        if !self.misshaped.is_empty() {
            report.push(format!("of another shape: {}", self.misshaped.join(", ")));
        }
        if report.is_empty() {
            return Ok(());
        }
        let saved_from = match self.weights.saved_from.as_slice() {
            [] => String::new(),
            classes => format!(" (saved from {})", quoted(classes.iter().map(String::as_str))),
        };
        let message = format!(
            "the weights of `{}`{saved_from} do not fit its config: {}",
            self.weights.model,
            report.join("; ")
        );
        Err(Error::new(ErrorKind::Weights, message))
    }
}

/// Whether a shape is the other one when its last dimensions are taken for one.
fn joins_to(shape: &[usize], joined: &[usize]) -> bool {
    match (shape, joined) {
        ([first, rest @ ..], [rows, columns]) => first == rows && rest.iter().product::<usize>() == *columns,
        _ => false,
    }
}

impl ModuleMapper for Filler<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(Step {
            name: name.to_string(),
            in_embedding: container_type == "Struct:Embedding",
            is_linear_weight: container_type == "Struct:Linear" && name == "weight",
            is_filters: matches!(container_type, "Struct:Conv1d" | "Struct:Conv2d") && name == "weight",
            is_variant: container_type.starts_with("Enum:"),
        });
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        if let Some(stored) = self.filled.take() {
            stored.release();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let key = self.key();
        let Some(stored) = self.stored(&key) else { return param };
        let expected = param.lazy_shape().to_vec();
        let is_linear_weight = self.path.last().is_some_and(|step| step.is_linear_weight);
        let may_be_packed = self.path.last().is_some_and(|step| step.is_linear_weight || step.is_filters);
        // Some checkpoints hold the outputs or inputs of a layer by heads.
        let by_heads = is_linear_weight && joins_to(&stored.shape, &expected);
        if stored.shape != expected && !by_heads {
            self.misshaped.push(format!("{key} is {:?} and should be {expected:?}", stored.shape));
            return param;
        }
        let purpose = match self.path.last() {
            Some(step) if step.in_embedding => Purpose::Table,
            Some(_) if may_be_packed && ops::packs(self.placement) => Purpose::Packed,
            _ => Purpose::Compute,
        };
        let serves = |table: &&Tensor<2>| match purpose {
            Purpose::Table => true,
            Purpose::Packed => false,
            Purpose::Compute => table.dtype() == self.placement.dtype,
        };
        if let Some(table) = self.tables.get(&key).filter(serves) {
            return Param::initialized(param.id, table.clone().reshape(param.lazy_shape()));
        }
        match stored.to_device(&key, &expected, self.placement, purpose) {
            Ok(tensor) => {
                if purpose == Purpose::Table && D == 2 {
                    self.tables.insert(key, tensor.clone().reshape([expected[0], expected[1]]));
                }
                if may_be_packed {
                    self.filled = Some(stored);
                }
                Param::initialized(param.id, tensor)
            }
            Err(error) => {
                self.error.get_or_insert(error);
                param
            }
        }
    }
}
