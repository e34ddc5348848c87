//! From the device to the host.

use burn::tensor::{DType, Tensor};
use burnpipe_core::{Error, ErrorKind, Result};

/// A tensor's numbers, row-major, in one transfer.
///
/// # Errors
///
/// When the device gives nothing back, or a number is NaN.
pub fn read_back<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let values = read_back_any(tensor)?;
    if values.iter().any(|value| value.is_nan()) {
        let message = "the model's result is NaN: its weights hold NaN or overflow in this number type";
        return Err(Error::new(ErrorKind::Weights, message));
    }
    Ok(values)
}

/// A tensor's numbers, row-major, in one transfer, for callers that look for NaN themselves.
///
/// # Errors
///
/// When the device gives nothing back.
pub fn read_back_any<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.cast(DType::F32).try_into_data().map_err(|error| {
        Error::new(ErrorKind::Device, "the result cannot be read from the device")
            .with_source(error.to_string())
    })?;
    data.try_into_vec().map_err(|error| {
        Error::new(ErrorKind::Internal, "the result is not of the expected type")
            .with_source(format!("{error:?}"))
    })
}
