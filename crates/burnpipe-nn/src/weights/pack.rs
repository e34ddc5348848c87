//! Packing stored weights for the CPU, once each, and never a whole one twice in memory.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burnpipe_core::Result;
use burnpipe_kernels::{PackedMatrix, Packing, PackingOrder, Stored};
use bytemuck::Pod;
use half::{bf16, f16};
use rayon::prelude::*;

use super::path::{ModulePath, Place};
use super::stored::{CAST_CHUNK, StoredTensor, StoredType, aligned, check_numbers};

/// Bytes of a weight that are packed before their pages are let go.
const PIECE: usize = 1 << 22;

/// The weights that two parts of a module share: tables of words that are the output layer as well.
pub(super) struct SharedTables {
    keys: BTreeSet<String>,
    packed: BTreeMap<String, Arc<PackedMatrix>>,
}

impl SharedTables {
    /// Those of a module, found before it is filled.
    pub(super) fn of<M: Module>(module: &M, path: ModulePath<'_>) -> Self {
        let mut search = Search { path, tables: BTreeSet::new(), layers: BTreeSet::new() };
        module.visit(&mut search);
        let keys = search.tables.intersection(&search.layers).cloned().collect();
        Self { keys, packed: BTreeMap::new() }
    }

    /// How the weight at a place is packed, if it is.
    pub(super) fn order(&self, key: &str, place: Place) -> Option<PackingOrder> {
        match place {
            Place::Table => self.keys.contains(key).then_some(PackingOrder::ByOutput),
            Place::PackedByOutput => Some(PackingOrder::ByOutput),
            Place::PackedByInput => Some(PackingOrder::ByInput),
            Place::Layer | Place::Filters | Place::Other => None,
        }
    }

    /// A weight, packed here or for the part of the module that came first.
    pub(super) fn pack(
        &mut self,
        key: &str,
        stored: &StoredTensor,
        shape: [usize; 2],
        order: PackingOrder,
    ) -> Result<Arc<PackedMatrix>> {
        let shared = order == PackingOrder::ByOutput && self.keys.contains(key);
        if let Some(packed) = self.packed.get(key).filter(|_| shared) {
            return Ok(Arc::clone(packed));
        }
        let packed = Arc::new(stored.pack(key, shape, order)?);
        if shared {
            self.packed.insert(key.to_string(), Arc::clone(&packed));
        }
        Ok(packed)
    }
}

struct Search<'a> {
    path: ModulePath<'a>,
    tables: BTreeSet<String>,
    layers: BTreeSet<String>,
}

impl ModuleVisitor for Search<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.leave();
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        match self.path.place() {
            Place::Table => self.tables.insert(self.path.key()),
            Place::PackedByOutput => self.layers.insert(self.path.key()),
            Place::PackedByInput | Place::Layer | Place::Filters | Place::Other => false,
        };
    }
}

impl StoredTensor {
    /// The weight of a layer, packed in the type that it is stored in; anything but floats of 16 and 32 bits is cast.
    /// The pages of a file are let go as soon as they are packed.
    fn pack(&self, key: &str, shape: [usize; 2], order: PackingOrder) -> Result<PackedMatrix> {
        let bytes = self.bytes(key)?;
        let stored = self.floats(key)?;
        let weight = StoredWeight { stored: self, key, bytes: &bytes, shape, order };
        match self.dtype {
            StoredType::F32 if aligned(&bytes, stored) => weight.pack(in_place::<f32>, f32::is_nan),
            StoredType::BF16 if aligned(&bytes, stored) => weight.pack(in_place::<bf16>, bf16::is_nan),
            StoredType::F16 if aligned(&bytes, stored) => weight.pack(in_place::<f16>, f16::is_nan),
            _ => weight.pack(|piece| Cow::Owned(self.cast_to_f32(piece)), f32::is_nan),
        }
    }
}

fn in_place<N: Pod>(bytes: &[u8]) -> Cow<'_, [N]> {
    Cow::Borrowed(bytemuck::cast_slice(bytes))
}

/// A weight on its way into a packed matrix.
struct StoredWeight<'a> {
    stored: &'a StoredTensor,
    key: &'a str,
    bytes: &'a [u8],
    /// As it is stored.
    shape: [usize; 2],
    order: PackingOrder,
}

impl<'a> StoredWeight<'a> {
    fn pack<N: Stored + 'static>(
        &self,
        read: impl Fn(&'a [u8]) -> Cow<'a, [N]>,
        is_nan: impl Fn(N) -> bool + Sync,
    ) -> Result<PackedMatrix> {
        let [lines, length] = self.shape;
        let (outputs, inputs) = match self.order {
            PackingOrder::ByOutput => (lines, length),
            PackingOrder::ByInput => (length, lines),
        };
        let mut packing = Packing::new(outputs, inputs, self.order);
        let line = self.bytes.len().checked_div(lines).unwrap_or(0).max(1);
        let piece = (PIECE / line).max(1) * line;
        for start in (0..self.bytes.len()).step_by(piece) {
            let range = start..self.bytes.len().min(start + piece);
            let numbers = read(&self.bytes[range.clone()]);
            let has_nan =
                numbers.par_chunks(CAST_CHUNK).any(|chunk| chunk.iter().any(|&number| is_nan(number)));
            check_numbers(self.key, has_nan)?;
            packing.push(&numbers);
            self.stored.release(range);
        }
        Ok(packing.finish())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device, Int, TensorData};

    use super::*;
    use crate::weights::stored::StoredData;
    use crate::{Embedding, Linear, LinearWeight, Placement, WeightNames, Weights};

    const ENTRIES: usize = 37;
    const SIZE: usize = 5;

    #[derive(Module, Debug)]
    struct Words {
        table: Embedding,
        head: Linear,
    }

    const NAMES: WeightNames =
        WeightNames { base_model_prefix: "model", is_base_model: false, renames: &[], ignored: &[] };

    /// Halves, which every type holds exactly.
    fn numbers() -> Vec<f64> {
        (0..ENTRIES * SIZE).map(|at| at as f64 / 2.0).collect()
    }

    fn stored(dtype: StoredType, number: impl Fn(f64) -> Vec<u8>) -> StoredTensor {
        let bytes: Vec<u8> = numbers().into_iter().flat_map(number).collect();
        StoredTensor { dtype, shape: vec![ENTRIES, SIZE], data: StoredData::Static(bytes.into()) }
    }

    fn fill(tensors: Vec<(&str, StoredTensor)>, names: &WeightNames) -> Result<Words> {
        let placement = Placement { device: Device::flex(), dtype: DType::F32 };
        let words = Words {
            table: Embedding::new(ENTRIES, SIZE, &placement),
            head: Linear::with_bias(SIZE, ENTRIES, false, &placement),
        };
        let tensors = tensors.into_iter().map(|(key, stored)| (key.to_string(), stored)).collect();
        Weights { model: "test".into(), saved_from: Vec::new(), tensors }.fill(words, names, &placement)
    }

    #[test]
    fn a_table_that_is_the_output_layer_too_is_in_memory_once() {
        let tied = WeightNames { renames: &[("head.weight", "table.weight")], ..NAMES };
        for stored in [
            stored(StoredType::F32, |number| (number as f32).to_le_bytes().into()),
            stored(StoredType::BF16, |number| bf16::from_f64(number).to_le_bytes().into()),
            stored(StoredType::F16, |number| f16::from_f64(number).to_le_bytes().into()),
            stored(StoredType::F64, |number| number.to_le_bytes().into()),
        ] {
            let dtype = stored.dtype;
            let words = fill(vec![("table.weight", stored)], &tied).unwrap();
            let (LinearWeight::Packed(table), LinearWeight::Packed(head)) =
                (&words.table.weight, &words.head.weight)
            else {
                panic!("{dtype:?}: {words:?}")
            };
            assert!(Arc::ptr_eq(table, head), "{dtype:?}");
            let (ids, numbers) = (vec![36_i32, 0, 7], numbers());
            let expected: Vec<f32> = ids
                .iter()
                .flat_map(|&id| &numbers[id as usize * SIZE..][..SIZE])
                .map(|&number| number as f32)
                .collect();
            let ids: Tensor<2, Int> =
                Tensor::from_data(TensorData::new(ids, [1, 3]), (&words.table.device(), DType::I32));
            let rows = words.table.forward(ids).into_data().try_to_vec::<f32>().unwrap();
            assert_eq!(rows, expected, "{dtype:?}");
        }
    }

    #[test]
    fn a_table_of_its_own_is_not_read_before_it_is_asked() {
        let float = |number: f64| (number as f32).to_le_bytes().into();
        let tensors = vec![
            ("table.weight", stored(StoredType::F32, float)),
            ("head.weight", stored(StoredType::F32, float)),
        ];
        let words = fill(tensors, &NAMES).unwrap();
        assert!(matches!(words.table.weight, LinearWeight::Plain { .. }));
        assert!(matches!(words.head.weight, LinearWeight::Packed(_)));
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused() {
        let nan = |number: f64| if number == 3.5 { f32::NAN } else { number as f32 }.to_le_bytes().into();
        let float = |number: f64| (number as f32).to_le_bytes().into();
        let tensors = vec![
            ("table.weight", stored(StoredType::F32, float)),
            ("head.weight", stored(StoredType::F32, nan)),
        ];
        let error = fill(tensors, &NAMES).unwrap_err();
        assert!(error.to_string().contains("`head.weight` holds NaN"), "{error}");
    }
}
