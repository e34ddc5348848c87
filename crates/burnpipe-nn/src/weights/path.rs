//! Where a walk over a module is, and what checkpoints call that place.

use super::WeightNames;
use crate::linear_weight;

/// The way into a module.
pub(super) struct ModulePath<'a> {
    names: &'a WeightNames,
    /// Whether the checkpoint's keys have the base model's prefix.
    prefixed: bool,
    steps: Vec<Step>,
}

/// A step into a module.
struct Step {
    name: String,
    place: Place,
    /// Whether it goes into a variant of an enum, of which checkpoints say nothing.
    is_variant: bool,
}

/// What a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An [`Embedding`](crate::Embedding).
    Table,
    /// The weight of a [`Linear`](crate::Linear) that wants to be packed, stored output by output.
    PackedByOutput,
    /// The same, stored input by input.
    PackedByInput,
    /// The weight of a [`Linear`](crate::Linear) that stays a tensor.
    Layer,
    /// The weight of a [`Conv1d`](crate::Conv1d) or a [`Conv2d`](crate::Conv2d).
    Filters,
    /// Anything else.
    Other,
}

impl<'a> ModulePath<'a> {
    pub(super) fn new(names: &'a WeightNames, prefixed: bool) -> Self {
        Self { names, prefixed, steps: Vec::new() }
    }

    pub(super) fn enter(&mut self, name: &str, container_type: &str) {
        let place = match container_type {
            "Struct:Embedding" => Place::Table,
            linear_weight::CONTAINER if self.place() == Place::Table => Place::Table,
            linear_weight::CONTAINER => match name {
                linear_weight::PACKED_BY_OUTPUT => Place::PackedByOutput,
                linear_weight::PACKED_BY_INPUT => Place::PackedByInput,
                _ => Place::Layer,
            },
            "Struct:Conv1d" | "Struct:Conv2d" if name == "weight" => Place::Filters,
            _ => Place::Other,
        };
        let is_variant = container_type.starts_with("Enum:");
        self.steps.push(Step { name: name.to_string(), place, is_variant });
    }

    pub(super) fn leave(&mut self) {
        self.steps.pop();
    }

    pub(super) fn place(&self) -> Place {
        self.steps.last().map_or(Place::Other, |step| step.place)
    }

    /// The checkpoint's key of the parameter we are at.
    pub(super) fn key(&self) -> String {
        let fields = self.steps.iter().filter(|step| !step.is_variant);
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
}
