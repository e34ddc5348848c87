//! The weight of a linear layer or a table, in the form that its device multiplies fastest.

use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, Tensor};
#[cfg(feature = "flex")]
use burnpipe_kernels::PackedMatrix;
#[cfg(feature = "flex")]
use std::cell::Cell;
#[cfg(feature = "flex")]
use std::sync::Arc;

use crate::{Placement, ops};

/// The step into a [`LinearWeight`], as mappers of modules see it: a variant of an enum, of which checkpoints say
/// nothing.
pub(crate) const CONTAINER: &str = "Enum:LinearWeight";

/// The step's name where a weight wants to be packed, and lies as `[outputs, inputs]`.
pub(crate) const PACKED_BY_OUTPUT: &str = "PackedByOutput";

/// The step's name where a weight wants to be packed, and lies as `[inputs, outputs]`.
pub(crate) const PACKED_BY_INPUT: &str = "PackedByInput";

/// The step's name where a weight stays a tensor.
const PLAIN: &str = "Plain";

/// A weight of `[outputs, inputs]`, or a table of `[entries, size]`.
///
/// On the CPU a layer's is packed as it is filled; clones share it, and so does a table that is the output layer
/// as well. Elsewhere it stays a tensor.
#[derive(Clone, Debug)]
pub enum LinearWeight {
    /// As the checkpoint has it.
    Plain {
        /// `[outputs, inputs]`, or `[inputs, outputs]` if transposed
        parameter: Param<Tensor<2>>,
        /// Whether it lies the other way round.
        transposed: bool,
        /// Whether to pack it when it is filled.
        packs: bool,
    },
    /// In panels, for the CPU.
    #[cfg(feature = "flex")]
    Packed(Arc<PackedMatrix>),
}

impl LinearWeight {
    /// A weight without memory until a checkpoint fills it.
    pub fn new(outputs: usize, inputs: usize, placement: &Placement) -> Self {
        let parameter = placement.parameter([outputs, inputs]);
        Self::Plain { parameter, transposed: false, packs: ops::packs(placement) }
    }

    /// A weight that checkpoints hold as `[inputs, outputs]`, without memory until one fills it.
    pub fn transposed(outputs: usize, inputs: usize, placement: &Placement) -> Self {
        let parameter = placement.parameter([inputs, outputs]);
        Self::Plain { parameter, transposed: true, packs: ops::packs(placement) }
    }

    /// A table, whose rows are looked up. It is packed only if it is the weight of a layer as well.
    pub fn table(entries: usize, size: usize, placement: &Placement) -> Self {
        Self::Plain { parameter: placement.parameter([entries, size]), transposed: false, packs: false }
    }

    /// A weight of numbers that are there already, for models that compute one from several of a checkpoint.
    pub fn filled(weight: Tensor<2>, placement: &Placement) -> Self {
        let parameter = Param::initialized(ParamId::new(), weight);
        Self::Plain { parameter, transposed: false, packs: ops::packs(placement) }.settled()
    }

    /// Where it lies.
    pub fn device(&self) -> Device {
        match self {
            Self::Plain { parameter, .. } => parameter.val().device(),
            #[cfg(feature = "flex")]
            Self::Packed(_) => Device::flex(),
        }
    }

    /// How many outputs it has, or entries.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Plain { parameter, transposed, .. } => parameter.lazy_shape()[usize::from(*transposed)],
            #[cfg(feature = "flex")]
            Self::Packed(packed) => packed.outputs(),
        }
    }

    /// Packs what has just been filled, where that is faster.
    fn settled(self) -> Self {
        #[cfg(feature = "flex")]
        if let Self::Plain { parameter, transposed, packs: true } = &self
            && parameter.is_initialized()
            && let Some(packed) = ops::pack(&outputs_first(parameter, *transposed))
        {
            return Self::Packed(Arc::new(packed));
        }
        self
    }

    /// Applies something to the weight as a parameter, if it still is one.
    fn map_plain(self, change: impl FnOnce(Param<Tensor<2>>) -> Param<Tensor<2>>) -> Self {
        match self {
            Self::Plain { parameter, transposed, packs } => {
                Self::Plain { parameter: change(parameter), transposed, packs }
            }
            #[cfg(feature = "flex")]
            packed @ Self::Packed(_) => packed,
        }
    }
}

/// What a step into a weight is called.
fn step(transposed: bool, packs: bool) -> &'static str {
    match (packs, transposed) {
        (true, false) => PACKED_BY_OUTPUT,
        (true, true) => PACKED_BY_INPUT,
        (false, _) => PLAIN,
    }
}

#[cfg(feature = "flex")]
thread_local! {
    /// What a mapper has packed for the weight that it is in.
    static PACKED: Cell<Option<Arc<PackedMatrix>>> = const { Cell::new(None) };
}

/// Gives the weight that a mapper is in its numbers, packed: Burn lets mappers give back parameters and nothing
/// else. The parameter stays as it is.
#[cfg(feature = "flex")]
pub(crate) fn give_packed(packed: Arc<PackedMatrix>) {
    PACKED.set(Some(packed));
}

/// A weight as `[outputs, inputs]`, however it lies.
pub(crate) fn outputs_first(parameter: &Param<Tensor<2>>, transposed: bool) -> Tensor<2> {
    if transposed { parameter.val().transpose() } else { parameter.val() }
}

impl Module for LinearWeight {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        match self {
            Self::Plain { parameter, .. } => parameter.collect_devices(devices),
            #[cfg(feature = "flex")]
            Self::Packed(_) => devices,
        }
    }

    fn fork(self, device: &Device) -> Self {
        self.map_plain(|parameter| parameter.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_plain(|parameter| parameter.to_device(device))
    }

    fn train(self) -> Self {
        self.map_plain(Module::train)
    }

    fn valid(&self) -> Self {
        self.clone().map_plain(|parameter| parameter.valid())
    }

    fn materialize(self) -> Self {
        self.map_plain(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        match self {
            Self::Plain { parameter, transposed, packs } => {
                let step = step(*transposed, *packs);
                visitor.enter_module(step, CONTAINER);
                parameter.visit(visitor);
                visitor.exit_module(step, CONTAINER);
            }
            #[cfg(feature = "flex")]
            Self::Packed(_) => {}
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        match self {
            Self::Plain { parameter, transposed, packs } => {
                let step = step(transposed, packs);
                mapper.enter_module(step, CONTAINER);
                #[cfg(feature = "flex")]
                PACKED.set(None);
                let parameter = Module::map(parameter, mapper);
                mapper.exit_module(step, CONTAINER);
                #[cfg(feature = "flex")]
                if let Some(packed) = PACKED.take() {
                    return Self::Packed(packed);
                }
                Self::Plain { parameter, transposed, packs }.settled()
            }
            #[cfg(feature = "flex")]
            packed @ Self::Packed(_) => packed,
        }
    }
}

impl ModuleDisplayDefault for LinearWeight {
    fn content(&self, content: Content) -> Option<Content> {
        match self {
            Self::Plain { parameter, .. } => parameter.content(content),
            #[cfg(feature = "flex")]
            Self::Packed(packed) => {
                let text = format!("packed, {} x {}", packed.outputs(), packed.inputs());
                content.add_single(&text).optional()
            }
        }
    }
}

impl ModuleDisplay for LinearWeight {}
