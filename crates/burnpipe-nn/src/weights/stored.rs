//! One stored tensor, and how it becomes a tensor on a device.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{AllocationProperty, Bytes, DType, Tensor, TensorData};
use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use half::{bf16, f16};
use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;
use rayon::prelude::*;

use crate::Placement;

/// How many elements a thread casts at a time.
pub(super) const CAST_CHUNK: usize = 1 << 16;

/// A tensor in a weight file.
pub(crate) struct StoredTensor {
    pub(crate) dtype: StoredType,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: StoredData,
}

/// The number types that weights come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoredType {
    F64,
    F32,
    F16,
    BF16,
    /// Anything else: buffers of integers, which no model here reads.
    Other,
}

/// What a tensor is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A table whose rows are looked up: it may stay in half precision, and most of it is never read.
    Table,
    /// Anything else.
    Compute,
}

/// Where the bytes are.
pub(crate) enum StoredData {
    /// In a mapped file, little endian.
    Mapped(MappedBytes),
    /// In the program itself, little endian.
    Static(bytes::Bytes),
    /// In a pickle, read when asked for.
    Pickled(Box<pytorch_reader::Tensor>),
}

/// A tensor's part of a mapped file.
pub(crate) struct MappedBytes {
    pub(crate) bytes: bytes::Bytes,
    pub(crate) file: Arc<Mmap>,
    pub(crate) start: usize,
}

impl MappedBytes {
    /// Lets the memory go that some of its bytes' pages take; who reads them again finds them in the file.
    #[cfg(unix)]
    #[expect(unsafe_code, reason = "some advice would change what is read")]
    fn release(&self, range: Range<usize>) {
        let (start, length) = (self.start + range.start, range.len());
        // SAFETY: the map is of a file and only read, so a page that was dropped comes back as it was.
        let advice = unsafe { self.file.unchecked_advise_range(UncheckedAdvice::DontNeed, start, length) };
        // Advice that is not taken costs memory and nothing else.
        let _ = advice;
    }

    #[cfg(not(unix))]
    fn release(&self, range: Range<usize>) {
        let _ = (&self.file, self.start, range);
    }
}

impl StoredTensor {
    /// Lets the memory go that some bytes of a mapped tensor take, when something else was made of them.
    pub(super) fn release(&self, range: Range<usize>) {
        if let StoredData::Mapped(mapped) = &self.data {
            mapped.release(range);
        }
    }

    /// The same for all its bytes.
    pub(super) fn release_all(&self) {
        if let StoredData::Mapped(mapped) = &self.data {
            mapped.release(0..mapped.bytes.len());
        }
    }

    /// The tensor on a device, in the type that it computes in, or as it is stored if its purpose allows;
    /// in a shape of as many numbers as its own.
    ///
    /// A tensor that is stored as it is wanted keeps the mapped bytes; else it is cast in parallel.
    pub(crate) fn to_device<const D: usize>(
        &self,
        key: &str,
        shape: &[usize],
        placement: &Placement,
        purpose: Purpose,
    ) -> Result<Tensor<D>> {
        let (device, dtype) = (&placement.device, placement.dtype);
        let bytes = self.bytes(key)?;
        let stored = self.floats(key)?;
        let stays_half = purpose == Purpose::Table
            && matches!(stored, DType::F16 | DType::BF16)
            && device.supports_dtype(stored);
        if (stored == dtype || stays_half) && aligned(&bytes, stored) {
            // Only some rows of a table are ever read: reading all of it to check it would cost
            // more than the rest of loading.
            if purpose != Purpose::Table {
                let chunks = bytes.par_chunks(8 * CAST_CHUNK);
                check_numbers(
                    key,
                    match stored {
                        DType::F32 => chunks.any(|chunk| f32s(chunk).any(f32::is_nan)),
                        DType::F16 => {
                            chunks.any(|chunk| u16s(chunk).any(|bits| f16::from_bits(bits).is_nan()))
                        }
                        DType::BF16 => {
                            chunks.any(|chunk| u16s(chunk).any(|bits| bf16::from_bits(bits).is_nan()))
                        }
                        _ => false,
                    },
                )?;
            }
            let bytes = Bytes::from_shared(bytes, AllocationProperty::File);
            let data = TensorData::from_bytes(bytes, shape.to_vec(), stored);
            return Ok(Tensor::from_data(data, (device, stored)));
        }
        let values = self.cast_to_f32(&bytes);
        check_numbers(
            key,
            values.par_chunks(CAST_CHUNK).any(|chunk| chunk.iter().any(|value| value.is_nan())),
        )?;
        Ok(Tensor::from_data(TensorData::new(values, shape.to_vec()), (device, dtype)))
    }

    /// Burn's name of its type.
    ///
    /// # Errors
    ///
    /// When it holds no floats.
    pub(super) fn floats(&self, key: &str) -> Result<DType> {
        self.dtype.to_burn().ok_or_else(|| {
            let message = format!("weight `{key}` is not stored as floating point numbers");
            Error::new(ErrorKind::Weights, message)
        })
    }

    pub(super) fn bytes(&self, key: &str) -> Result<bytes::Bytes> {
        match &self.data {
            StoredData::Mapped(mapped) => Ok(mapped.bytes.clone()),
            StoredData::Static(bytes) => Ok(bytes.clone()),
            StoredData::Pickled(tensor) => {
                let bytes =
                    tensor.read().context(ErrorKind::Weights, || format!("cannot read weight `{key}`"))?;
                Ok(bytes.into())
            }
        }
    }

    pub(super) fn cast_to_f32(&self, bytes: &[u8]) -> Vec<f32> {
        let size = self.dtype.size();
        let mut values = vec![0.0; bytes.len() / size];
        let chunks = values.par_chunks_mut(CAST_CHUNK).zip(bytes.par_chunks(CAST_CHUNK * size));
        chunks.for_each(|(values, bytes)| match self.dtype {
            StoredType::F32 => values.iter_mut().zip(f32s(bytes)).for_each(|(value, stored)| *value = stored),
            StoredType::F16 => {
                // F16C instructions where the machine has them.
                u16s(bytes).collect::<Vec<u16>>().reinterpret_cast::<f16>().convert_to_f32_slice(values);
            }
            StoredType::BF16 => {
                values
                    .iter_mut()
                    .zip(u16s(bytes))
                    .for_each(|(value, bits)| *value = bf16::from_bits(bits).to_f32());
            }
            StoredType::F64 | StoredType::Other => {
                values.iter_mut().zip(f64s(bytes)).for_each(|(value, stored)| *value = stored as f32);
            }
        });
        values
    }
}

impl StoredType {
    /// Burn's name of the type, if models read it.
    fn to_burn(self) -> Option<DType> {
        match self {
            Self::F64 => Some(DType::F64),
            Self::F32 => Some(DType::F32),
            Self::F16 => Some(DType::F16),
            Self::BF16 => Some(DType::BF16),
            Self::Other => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F64 | Self::Other => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }
}

/// Whether the bytes can be read in place as numbers of this type.
pub(super) fn aligned(bytes: &[u8], dtype: DType) -> bool {
    cfg!(target_endian = "little") && bytes.as_ptr().addr().is_multiple_of(dtype.size())
}

pub(super) fn check_numbers(key: &str, has_nan: bool) -> Result<()> {
    if !has_nan {
        return Ok(());
    }
    let message = format!("weight `{key}` holds NaN: the checkpoint is damaged or its training diverged");
    Err(Error::new(ErrorKind::Weights, message))
}

fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(|element| u16::from_le_bytes(*element))
}

fn f32s(bytes: &[u8]) -> impl Iterator<Item = f32> {
    bytes.as_chunks::<4>().0.iter().map(|element| f32::from_le_bytes(*element))
}

fn f64s(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks::<8>().0.iter().map(|element| f64::from_le_bytes(*element))
}
