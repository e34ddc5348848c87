//! Convolutions in one and two dimensions, as matrix products.
//!
//! The windows of some positions are laid out as a panel right before it is multiplied by all filters, so
//! that nothing larger than a panel is copied.

use std::marker::PhantomData;

use rayon::prelude::*;

use crate::Finish;
use crate::gemm::{Product, Source, Target};
use crate::isa::dispatch;
use crate::packed::panel_width;

/// The dimensions of a convolution; one in one dimension has a height of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionShape {
    /// Images.
    pub batch: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub image: [usize; 2],
    /// Filters, which are the channels of the result.
    pub filters: usize,
    /// Height and width of a filter.
    pub kernel: [usize; 2],
    /// Steps between windows, down and right.
    pub stride: [usize; 2],
    /// Steps between the numbers of a window, down and right.
    pub dilation: [usize; 2],
    /// Zeros around the image: top, left, bottom, right.
    pub padding: [usize; 4],
    /// Groups of channels, each with filters of its own.
    pub groups: usize,
}

impl ConvolutionShape {
    /// Height and width of the result.
    pub fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let padded = self.image[axis] + self.padding[axis] + self.padding[axis + 2];
            let window = self.dilation[axis] * (self.kernel[axis].max(1) - 1) + 1;
            if padded < window { 0 } else { (padded - window) / self.stride[axis] + 1 }
        })
    }

    fn check(&self, images: &[f32], filters: &[f32], bias: Option<&[f32]>) {
        assert!(self.groups > 0 && self.stride.iter().all(|&stride| stride > 0), "steps and groups");
        assert!(self.channels.is_multiple_of(self.groups) && self.filters.is_multiple_of(self.groups));
        let image = self.channels * self.image[0] * self.image[1];
        assert_eq!(images.len(), self.batch * image, "images of {image} numbers");
        let filter = self.channels / self.groups * self.kernel[0] * self.kernel[1];
        assert_eq!(filters.len(), self.filters * filter, "filters of {filter} numbers");
        assert!(bias.is_none_or(|bias| bias.len() == self.filters), "a bias per filter");
    }
}

/// Slides filters over images.
///
/// # Shapes
///
/// - `images`: `[batch, channels, height, width]`
/// - `filters`: `[filters, channels / groups, kernel height, kernel width]`, `bias`: `[filters]`
/// - result: `[batch, filters, output height, output width]`
///
/// # Panics
///
/// When the lengths do not fit the shape.
///
/// ```
/// use burnpipe_kernels::{ConvolutionShape, convolve};
///
/// let shape = ConvolutionShape {
///     batch: 1,
///     channels: 1,
///     image: [1, 4],
///     filters: 1,
///     kernel: [1, 2],
///     stride: [1, 2],
///     dilation: [1, 1],
///     padding: [0; 4],
///     groups: 1,
/// };
/// assert_eq!(convolve(&[1.0, 2.0, 3.0, 4.0], &[1.0, 1.0], None, shape), [3.0, 7.0]);
/// ```
pub fn convolve(images: &[f32], filters: &[f32], bias: Option<&[f32]>, shape: ConvolutionShape) -> Vec<f32> {
    shape.check(images, filters, bias);
    let [height, width] = shape.output();
    let positions = height * width;
    let mut result = vec![0.0; shape.batch * shape.filters * positions];
    let panels = positions.div_ceil(panel_width());
    let target = Target { start: result.as_mut_ptr(), stride: positions, columns: positions };
    (0..shape.batch * shape.groups * panels).into_par_iter().for_each(|index| {
        let (image, group, panel) =
            (index / panels / shape.groups, index / panels % shape.groups, index % panels);
        Part { images, filters, bias, shape, target, image, group, panel }.run();
    });
    result
}

/// The filters of one group over the positions of one panel.
struct Part<'a> {
    images: &'a [f32],
    filters: &'a [f32],
    bias: Option<&'a [f32]>,
    shape: ConvolutionShape,
    target: Target,
    image: usize,
    group: usize,
    panel: usize,
}

impl Part<'_> {
    fn run(&self) {
        let shape = self.shape;
        let channels = shape.channels / shape.groups;
        let depth = channels * shape.kernel[0] * shape.kernel[1];
        let count = shape.filters / shape.groups;
        let windows = self.windows(channels, depth);
        let filters = &self.filters[self.group * count * depth..(self.group + 1) * count * depth];
        let source = Source { start: filters.as_ptr(), stride: depth, count, depth, life: PhantomData };
        let positions = self.target.columns;
        let first = self.panel * panel_width();
        let row = self.image * shape.filters + self.group * count;
        let columns = panel_width().min(positions - first);
        // SAFETY: the panel's positions in the rows of this image's and group's filters lie inside the
        // result, and are this part's alone.
        let start = unsafe { self.target.start.add(row * positions + first) };
        let target = Target { start, columns, ..self.target };
        dispatch(Product {
            source,
            panels: &windows,
            panel_stride: windows.len(),
            row_stride: panel_width(),
            target,
            finish: Finish::default(),
            rows: (0, count),
            panel_range: (0, 1),
        });
        for (filter, bias) in
            self.bias.into_iter().flat_map(|bias| bias[self.group * count..][..count].iter().enumerate())
        {
            // SAFETY: as above; the product has written the row.
            let row = unsafe { std::slice::from_raw_parts_mut(start.add(filter * positions), columns) };
            row.iter_mut().for_each(|sum| *sum += bias);
        }
    }

    /// The windows of the panel's positions: `[channels, kernel height, kernel width, positions]`.
    fn windows(&self, channels: usize, depth: usize) -> Vec<f32> {
        let shape = self.shape;
        let [_, output_width] = shape.output();
        let [height, width] = shape.image;
        let mut windows = vec![0.0; depth * panel_width()];
        let first = self.panel * panel_width();
        let last = self.target.columns.min(first + panel_width());
        let base = (self.image * shape.channels + self.group * channels) * height * width;
        for (row, values) in windows.chunks_mut(panel_width()).enumerate() {
            let (channel, rest) =
                (row / (shape.kernel[0] * shape.kernel[1]), row % (shape.kernel[0] * shape.kernel[1]));
            let (down, right) = (rest / shape.kernel[1], rest % shape.kernel[1]);
            let plane = &self.images[base + channel * height * width..][..height * width];
            for (value, position) in values.iter_mut().zip(first..last) {
                let y = position / output_width * shape.stride[0] + down * shape.dilation[0];
                let x = position % output_width * shape.stride[1] + right * shape.dilation[1];
                let inside = y.checked_sub(shape.padding[0]).zip(x.checked_sub(shape.padding[1]));
                if let Some((y, x)) = inside.filter(|&(y, x)| y < height && x < width) {
                    *value = plane[y * width + x];
                }
            }
        }
        windows
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    fn by_loops(images: &[f32], filters: &[f32], bias: &[f32], shape: ConvolutionShape) -> Vec<f64> {
        let [height, width] = shape.output();
        let (channels, count) = (shape.channels / shape.groups, shape.filters / shape.groups);
        let mut result = Vec::new();
        for at in 0..shape.batch * shape.filters * height * width {
            let (y, x) = (at / width % height, at % width);
            let (image, filter) = (at / width / height / shape.filters, at / width / height % shape.filters);
            let mut sum = f64::from(bias[filter]);
            for window in 0..channels * shape.kernel[0] * shape.kernel[1] {
                let (down, right) = (window / shape.kernel[1] % shape.kernel[0], window % shape.kernel[1]);
                let channel = filter / count * channels + window / shape.kernel[1] / shape.kernel[0];
                let y = (y * shape.stride[0] + down * shape.dilation[0]) as isize - shape.padding[0] as isize;
                let x =
                    (x * shape.stride[1] + right * shape.dilation[1]) as isize - shape.padding[1] as isize;
                if (0..shape.image[0] as isize).contains(&y) && (0..shape.image[1] as isize).contains(&x) {
                    let plane = (image * shape.channels + channel) * shape.image[0];
                    let pixel = images[(plane + y as usize) * shape.image[1] + x as usize];
                    let size = channels * shape.kernel[0] * shape.kernel[1];
                    sum += f64::from(pixel) * f64::from(filters[filter * size + window]);
                }
            }
            result.push(sum);
        }
        result
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn convolutions_equal_f64(
            batch in 1_usize..3,
            groups in 1_usize..3,
            channels in 1_usize..4,
            filters in 1_usize..5,
            image in [1_usize..12, 1_usize..12],
            kernel in [1_usize..4, 1_usize..4],
            stride in [1_usize..3, 1_usize..3],
            dilation in [1_usize..3, 1_usize..3],
            padding in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        ) {
            let (channels, filters) = (channels * groups, filters * groups);
            let shape = ConvolutionShape { batch, channels, image, filters, kernel, stride, dilation, padding, groups };
            let images = numbers(batch * channels * image[0] * image[1], 1);
            let weights = numbers(filters * channels / groups * kernel[0] * kernel[1], 2);
            let bias = numbers(filters, 3);
            let answers = convolve(&images, &weights, Some(&bias), shape);
            let expected = by_loops(&images, &weights, &bias, shape);
            prop_assert_eq!(answers.len(), expected.len());
            for (answer, expected) in answers.iter().zip(expected) {
                prop_assert!((f64::from(*answer) - expected).abs() < 1e-5);
            }
        }
    }
}
