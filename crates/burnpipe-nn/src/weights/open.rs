//! Opening the weight files of a checkpoint.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use burnpipe_core::{Error, ErrorContext, ErrorKind, Result};
use burnpipe_hub::{Checkpoint, FileSource, WeightFile, WeightFiles, WeightFormat};
use memmap2::Mmap;
use pytorch_reader::PytorchReader;
use safetensors::tensor::{Dtype, SafeTensors};

use super::stored::{MappedBytes, StoredData, StoredTensor, StoredType};

/// The bytes of a safetensors file that say how long its header is.
const HEADER_LENGTH: usize = 8;

/// The tensors of a checkpoint by their keys, not yet read.
pub struct Weights {
    pub(crate) model: String,
    /// The classes that the config says it was saved from, such as `BertForTokenClassification`.
    pub(crate) saved_from: Vec<String>,
    pub(crate) tensors: BTreeMap<String, StoredTensor>,
}

impl Weights {
    /// Opens the weight files: `model.safetensors` or `pytorch_model.bin`, whole or in shards.
    ///
    /// Files are mapped, not read.
    ///
    /// # Errors
    ///
    /// When a file is missing, broken or cut short.
    pub fn open(checkpoint: &Checkpoint) -> Result<Self> {
        Self::read(checkpoint, checkpoint.weights()?)
    }

    /// Opens the weights of a part of the model that has a folder of its own in the checkpoint.
    ///
    /// # Errors
    ///
    /// When they are missing, broken or cut short.
    pub fn open_in(checkpoint: &Checkpoint, folder: &str) -> Result<Self> {
        Self::read(checkpoint, checkpoint.weights_in(folder)?)
    }

    fn read(checkpoint: &Checkpoint, weights: WeightFiles) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for file in &weights.files {
            let broken = || format!("weight file `{}` of `{}` cannot be read", file.name, checkpoint.name());
            match weights.format {
                WeightFormat::Safetensors => open_safetensors(file, &mut tensors),
                WeightFormat::Pytorch => open_pytorch(file, &mut tensors),
            }
            .context(ErrorKind::Weights, broken)?;
        }
        if let Some(index) = &weights.index
            && let Some(missing) = index.keys().find(|key| !tensors.contains_key(current_name(key).as_str()))
        {
            let message = format!(
                "weights of `{}`: the index names `{missing}` and no shard has it",
                checkpoint.name()
            );
            return Err(Error::new(ErrorKind::Weights, message));
        }
        let saved_from = checkpoint.config()?.architectures().to_vec();
        Ok(Self { model: checkpoint.name().to_string(), saved_from, tensors })
    }
}

fn open_safetensors(file: &WeightFile, tensors: &mut BTreeMap<String, StoredTensor>) -> Result<()> {
    let (bytes, map) = match &file.source {
        FileSource::Path(path) => {
            let map = Arc::new(map(path)?);
            (bytes::Bytes::from_owner(Mapped(Arc::clone(&map))), Some(map))
        }
        FileSource::Memory(bytes) => (bytes::Bytes::from_static(bytes), None),
    };
    // Checks that every tensor lies inside the file and has the size of its shape.
    let (header, metadata) = SafeTensors::read_metadata(&bytes)
        .context(ErrorKind::Weights, || "it is damaged or cut short; download it again")?;
    for (key, info) in metadata.tensors() {
        let (start, end) = info.data_offsets;
        let start = HEADER_LENGTH + header + start;
        let bytes = bytes.slice(start..HEADER_LENGTH + header + end);
        let stored = StoredTensor {
            dtype: match info.dtype {
                Dtype::F64 => StoredType::F64,
                Dtype::F32 => StoredType::F32,
                Dtype::F16 => StoredType::F16,
                Dtype::BF16 => StoredType::BF16,
                _ => StoredType::Other,
            },
            shape: burn_shape(&info.shape),
            data: match &map {
                Some(file) => StoredData::Mapped(MappedBytes { bytes, file: Arc::clone(file), start }),
                None => StoredData::Static(bytes),
            },
        };
        tensors.insert(current_name(&key), stored);
    }
    Ok(())
}

#[expect(unsafe_code, reason = "memmap2 cannot promise that nobody changes the file")]
fn map(path: &Path) -> Result<Mmap> {
    let message = || format!("cannot open `{}`", path.display());
    let file = File::open(path).context(ErrorKind::Io, message)?;
    // SAFETY: the map is read-only and lives as long as the tensors over it. As with every mapped
    // file, somebody who rewrites a checkpoint in place while it is loaded changes what is read.
    unsafe { Mmap::map(&file) }.context(ErrorKind::Io, message)
}

/// A shared map as the owner of bytes.
struct Mapped(Arc<Mmap>);

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn open_pytorch(file: &WeightFile, tensors: &mut BTreeMap<String, StoredTensor>) -> Result<()> {
    let reader = match &file.source {
        FileSource::Path(path) => PytorchReader::new(path),
        FileSource::Memory(bytes) => PytorchReader::from_reader(*bytes, None),
    };
    let reader = reader.context(ErrorKind::Weights, || "it is damaged, cut short, or no state dict")?;
    for (key, tensor) in reader.into_tensors() {
        use pytorch_reader::DType;
        let stored = StoredTensor {
            dtype: match tensor.dtype() {
                DType::F64 => StoredType::F64,
                DType::F32 => StoredType::F32,
                DType::F16 => StoredType::F16,
                DType::BF16 => StoredType::BF16,
                _ => StoredType::Other,
            },
            shape: burn_shape(tensor.shape()),
            data: StoredData::Pickled(Box::new(tensor)),
        };
        tensors.insert(current_name(&key), stored);
    }
    Ok(())
}

/// The shape as Burn has it: there is no tensor of rank 0, a scalar has the shape `[1]`.
fn burn_shape(shape: &[usize]) -> Vec<usize> {
    if shape.is_empty() { vec![1] } else { shape.to_vec() }
}

/// The key as today's checkpoints write it: the first BERTs had `LayerNorm.gamma` and `.beta`.
fn current_name(key: &str) -> String {
    let old = [("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias")];
    for (old, new) in old {
        if let Some(start) = key.strip_suffix(old) {
            return format!("{start}{new}");
        }
    }
    key.to_string()
}
