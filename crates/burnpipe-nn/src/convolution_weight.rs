//! The filters of a convolution, in the form that their device slides fastest.

use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor, Param, ParamId,
};
use burn::tensor::{Device, FloatDType, Tensor};
#[cfg(feature = "flex")]
use burnpipe_kernels::PackedFilters;
#[cfg(feature = "flex")]
use std::sync::Arc;

use crate::{Placement, ops};

/// Filters of `[filters, channels / groups, kernel ..]`.
///
/// On the CPU they are packed as soon as they are filled, and what they were filled with is let go; clones share
/// them. Elsewhere they stay a tensor.
#[derive(Clone, Debug)]
pub enum ConvolutionWeight<const D: usize> {
    /// As the checkpoint has them.
    Plain {
        /// `[filters, channels / groups, kernel ..]`
        parameter: Param<Tensor<D>>,
        /// Groups of channels, each with filters of its own.
        groups: usize,
        /// Whether to pack them when they are filled.
        packs: bool,
    },
    /// In the order of windows with channels last, for the CPU.
    #[cfg(feature = "flex")]
    Packed(Arc<PackedFilters>),
}

impl<const D: usize> ConvolutionWeight<D> {
    /// Filters without memory until a checkpoint fills them.
    pub fn new(shape: [usize; D], groups: usize, placement: &Placement) -> Self {
        Self::Plain { parameter: placement.parameter(shape), groups, packs: ops::packs(placement) }
    }

    /// Filters of numbers that are there already, for models that compute them from several of a checkpoint.
    pub fn filled(weight: Tensor<D>, groups: usize) -> Self {
        let placement = Placement { device: weight.device(), dtype: weight.dtype() };
        let parameter = Param::initialized(ParamId::new(), weight);
        Self::Plain { parameter, groups, packs: ops::packs(&placement) }.settled()
    }

    /// The filters, each multiplied by a number of its own: `scales` are `[filters]`, in f32.
    #[must_use]
    pub fn scaled(self, scales: Tensor<1>) -> Self {
        match self {
            Self::Plain { parameter, groups, packs } => {
                let weight = parameter.val();
                let dtype = weight.dtype();
                let mut shape = [1; D];
                shape[0] = weight.dims()[0];
                let scaled = (weight.cast(FloatDType::F32) * scales.reshape(shape)).cast(dtype);
                let parameter = Param::initialized(ParamId::new(), scaled);
                Self::Plain { parameter, groups, packs }
            }
            // In place, unless a clone shares them: old filters keep the memory of their neighbours.
            #[cfg(feature = "flex")]
            Self::Packed(filters) => {
                let filters = Arc::unwrap_or_clone(filters);
                Self::Packed(Arc::new(filters.scaled(&ops::CpuNumbers::new(scales))))
            }
        }
    }

    /// Packs what has just been filled, where that is faster.
    fn settled(self) -> Self {
        #[cfg(feature = "flex")]
        if let Self::Plain { parameter, groups, packs: true } = &self
            && parameter.is_initialized()
            && let Some(packed) = ops::pack_filters(&parameter.val(), *groups)
        {
            return Self::Packed(Arc::new(packed));
        }
        self
    }

    /// Applies something to the filters as a parameter, if they still are one.
    fn map_plain(self, change: impl FnOnce(Param<Tensor<D>>) -> Param<Tensor<D>>) -> Self {
        match self {
            Self::Plain { parameter, groups, packs } => {
                Self::Plain { parameter: change(parameter), groups, packs }
            }
            #[cfg(feature = "flex")]
            packed @ Self::Packed(_) => packed,
        }
    }
}

impl<const D: usize> Module for ConvolutionWeight<D> {
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

impl<const D: usize> ModuleDisplayDefault for ConvolutionWeight<D> {
    fn content(&self, content: Content) -> Option<Content> {
        match self {
            Self::Plain { parameter, .. } => parameter.content(content),
            #[cfg(feature = "flex")]
            Self::Packed(packed) => {
                let shape = packed.shape();
                let text = format!("packed, {} x {} x {:?}", shape.filters, shape.channels, shape.kernel);
                content.add_single(&text).optional()
            }
        }
    }
}

impl<const D: usize> ModuleDisplay for ConvolutionWeight<D> {}
