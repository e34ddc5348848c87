//! The weight of a linear layer, in the form that its device multiplies fastest.

use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, Tensor};
#[cfg(feature = "flex")]
use burnpipe_kernels::PackedMatrix;
#[cfg(feature = "flex")]
use std::sync::Arc;

use crate::{Placement, ops};

/// A weight of `[outputs, inputs]`.
///
/// On the CPU it is packed as soon as it is filled, and what it was filled with is let go; clones share
/// it. Elsewhere it stays a tensor.
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

    /// A weight of numbers that are there already, for models that compute one from several of a checkpoint.
    pub fn filled(weight: Tensor<2>, placement: &Placement) -> Self {
        let parameter = Param::initialized(ParamId::new(), weight);
        Self::Plain { parameter, transposed: false, packs: ops::packs(placement) }.settled()
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
            Self::Plain { parameter, .. } => parameter.visit(visitor),
            #[cfg(feature = "flex")]
            Self::Packed(_) => {}
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_plain(|parameter| Module::map(parameter, mapper)).settled()
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
