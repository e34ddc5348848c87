//! A grid of vectors made larger or smaller by cubic convolution, as `torch.nn.functional.interpolate` does with
//! `mode="bicubic"`.

use burn::tensor::{DType, Device, Tensor, TensorData};
use burnpipe_nn::{Sides, ops};

/// The parameter of cubic convolution that torch takes.
const A: f32 = -0.75;

/// Brings a grid to another size, first by rows and then by columns.
///
/// # Shapes
///
/// - `grid`: `[height, width, size]`
/// - result: `[wanted height, wanted width, size]`
pub(super) fn stretch(grid: Tensor<3>, wanted: Sides) -> Tensor<3> {
    let device = grid.device();
    let along = |grid: Tensor<3>, length: usize| {
        let [old_length, other, size] = grid.dims();
        let weights = weights(old_length, length, &device);
        ops::weighted_sums(weights, grid.reshape([old_length, other * size])).reshape([length, other, size])
    };
    let grid = along(grid, wanted.height).swap_dims(0, 1);
    along(grid, wanted.width).swap_dims(0, 1)
}

/// How much every old place gives to each new one: `[new, old]`.
fn weights(old: usize, new: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0; new * old];
    let scale = old as f32 / new as f32;
    for (place, row) in weights.chunks_exact_mut(old).enumerate() {
        let center = scale * (place as f32 + 0.5) - 0.5;
        let first = center.floor();
        for (step, part) in parts(center - first).into_iter().enumerate() {
            // Places over the edge are the edge's own.
            let at = (first as isize + step as isize - 1).clamp(0, old as isize - 1);
            row[at as usize] += part;
        }
    }
    Tensor::from_data(TensorData::new(weights, [new, old]), (device, DType::F32))
}

/// The weights of four neighbours for a place that is `t` past the second of them.
fn parts(t: f32) -> [f32; 4] {
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(old: usize, new: usize, place: usize) -> Vec<f32> {
        let weights = weights(old, new, &Device::flex()).into_data().try_to_vec::<f32>().unwrap();
        weights[place * old..(place + 1) * old].to_vec()
    }

    #[test]
    fn a_grid_of_the_same_size_stays_and_every_place_is_a_mean() {
        assert_eq!(row(3, 3, 1), [0.0, 1.0, 0.0]);
        for (old, new) in [(1, 4), (3, 7), (5, 2), (37, 16)] {
            for place in 0..new {
                let sum: f32 = row(old, new, place).iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "{old} to {new} at {place}: {sum}");
            }
        }
    }

    #[test]
    fn halfway_between_neighbours_the_weights_are_those_of_the_formula() {
        // From 4 places to 2 each new one is halfway between two: 0.5 past the second of four.
        let expected = [-0.09375, 0.59375, 0.59375, -0.09375];
        assert_eq!(parts(0.5), expected);
        // The first neighbour of the first place is over the edge.
        assert_eq!(row(4, 2, 0), [expected[0] + expected[1], expected[2], expected[3], 0.0]);
    }
}
