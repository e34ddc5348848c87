//! Putting weights into a module: every parameter by its path, strictly.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;
use burnpipe_core::{Error, ErrorKind, Result, quoted};

use super::Weights;
#[cfg(feature = "flex")]
use super::pack::SharedTables;
use super::path::{ModulePath, Place};
use super::stored::{Purpose, StoredTensor};
use crate::Placement;
#[cfg(feature = "flex")]
use crate::linear_weight::give_packed;

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
        let prefixed = self.tensors.keys().any(|key| key.starts_with(&prefix));
        let mut filler = Filler {
            weights: self,
            names,
            placement,
            prefixed,
            path: ModulePath::new(names, prefixed),
            #[cfg(feature = "flex")]
            shared: SharedTables::of(&module, ModulePath::new(names, prefixed)),
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
    path: ModulePath<'a>,
    /// The tables that are layers' weights as well.
    #[cfg(feature = "flex")]
    shared: SharedTables,
    used: BTreeSet<&'a str>,
    /// The weight of a layer that was just filled: once out of it, its device may have a copy.
    filled: Option<&'a StoredTensor>,
    /// The tables filled so far, for other tables that share one, and for layers where nothing is packed.
    tables: BTreeMap<String, Tensor<2>>,
    missing: Vec<String>,
    misshaped: Vec<String>,
    error: Option<Error>,
}

impl<'a> Filler<'a> {
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
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.leave();
        if let Some(stored) = self.filled.take() {
            stored.release_all();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // One weight that cannot be read is reported alone; the others need not be read.
        if self.error.is_some() {
            return param;
        }
        let key = self.path.key();
        let Some(stored) = self.stored(&key) else { return param };
        let expected = param.lazy_shape().to_vec();
        let place = self.path.place();
        let is_linear_weight = matches!(place, Place::PackedByOutput | Place::PackedByInput | Place::Layer);
        // Some checkpoints hold the outputs or inputs of a layer by heads.
        let by_heads = is_linear_weight && joins_to(&stored.shape, &expected);
        if stored.shape != expected && !by_heads {
            self.misshaped.push(format!("{key} is {:?} and should be {expected:?}", stored.shape));
            return param;
        }
        #[cfg(feature = "flex")]
        if let (Some(order), &[lines, length]) = (self.shared.order(&key, place), expected.as_slice()) {
            match self.shared.pack(&key, stored, [lines, length], order) {
                Ok(packed) => give_packed(packed),
                Err(error) => self.error = Some(error),
            }
            return param;
        }
        let purpose = if place == Place::Table { Purpose::Table } else { Purpose::Compute };
        let serves = |table: &&Tensor<2>| purpose == Purpose::Table || table.dtype() == self.placement.dtype;
        if let Some(table) = self.tables.get(&key).filter(serves) {
            return Param::initialized(param.id, table.clone().reshape(param.lazy_shape()));
        }
        match stored.to_device(&key, &expected, self.placement, purpose) {
            Ok(tensor) => {
                if purpose == Purpose::Table && D == 2 {
                    self.tables.insert(key, tensor.clone().reshape([expected[0], expected[1]]));
                }
                if is_linear_weight || place == Place::Filters {
                    self.filled = Some(stored);
                }
                Param::initialized(param.id, tensor)
            }
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }
}
