//! The same passes over pixels that are rescaled already, as DINOv3's processor resizes.

use super::Filter;
use super::taps::Taps;

/// Planes `[channels, height, width]` at another size, as torch's `interpolate` with `antialias` makes them.
pub(crate) fn resize_planes(
    planes: &[f32],
    size: [usize; 2],
    new_size: [usize; 2],
    filter: Filter,
) -> Vec<f32> {
    let [height, width] = size;
    let [new_height, new_width] = new_size;
    let taps = Taps::single(width, new_width, filter);
    let mut narrowed = Vec::with_capacity(planes.len() / width * new_width);
    for row in planes.chunks_exact(width) {
        narrowed.extend(taps.iter().map(|(start, weights)| {
            let terms = row[start..].iter().zip(weights).map(|(value, weight)| value * weight);
            terms.sum::<f32>()
        }));
    }
    let taps = Taps::single(height, new_height, filter);
    let mut resized = vec![0.0; narrowed.len() / height * new_height];
    let targets = resized.chunks_exact_mut(new_height * new_width);
    for (plane, target) in narrowed.chunks_exact(height * new_width).zip(targets) {
        for (target, (start, weights)) in target.chunks_exact_mut(new_width).zip(taps.iter()) {
            for (row, &weight) in plane[start * new_width..].chunks_exact(new_width).zip(weights) {
                target.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * weight);
            }
        }
    }
    resized
}
