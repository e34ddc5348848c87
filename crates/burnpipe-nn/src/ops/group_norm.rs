//! Group norm.

use burn::tensor::{FloatDType, Tensor};

use super::in_f32;
use crate::ActivationLayer;

/// Normalises groups of channels, each over all positions, in f32 whatever the type of `x`; then an activation, if any.
///
/// # Shapes
///
/// - `x`: `[batch, channels, ..]`
/// - `gamma`, `beta`: `[channels]`
pub fn group_norm<const D: usize>(
    x: Tensor<D>,
    groups: usize,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
    activation: Option<&ActivationLayer>,
) -> Tensor<D> {
    #[cfg(feature = "flex")]
    if super::cpu::takes(&x) {
        let kernel = activation.and_then(ActivationLayer::kernel);
        let normed = super::cpu_images::group_norm(x, (groups, epsilon), gamma, beta, kernel);
        let rest = activation.filter(|_| kernel.is_none());
        return rest.into_iter().fold(normed, |x, activation| activation.forward(x));
    }
    let shape: [usize; D] = x.dims();
    let [batch, channels] = [shape[0], shape[1]];
    let mut of_channels = [1; D];
    of_channels[1] = channels;
    let normed = in_f32(x, |x| {
        let x = x.reshape([batch, groups, shape[1..].iter().product::<usize>() / groups.max(1)]);
        let x = x.clone() - x.mean_dim(2);
        let variance = x.clone().square().mean_dim(2);
        let x = (x / (variance + epsilon).sqrt()).reshape(shape);
        let line = |of: Tensor<1>| of.cast(FloatDType::F32).reshape(of_channels);
        x * line(gamma) + line(beta)
    });
    activation.into_iter().fold(normed, |x, activation| activation.forward(x))
}
