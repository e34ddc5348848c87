//! Convolutions in one and two dimensions: filters packed once, and slid over images.
//!
//! A convolution is the product of its windows and its filters. The windows are never laid out: with
//! channels last, a window is a few runs of numbers, and the kernel of a tile reads them where they lie (after Dukhan,
//! *The Indirect Convolution Algorithm*, 2019). Only the zeros around images are really put there, which costs a copy.

use rayon::prelude::*;

use crate::depthwise::DepthwiseFilters;
use crate::gemm::{Product, Target, Whole, run};
use crate::images::{Images, product};
use crate::isa::dispatch;
use crate::memory::Numbers;
use crate::packed::panel_width;
use crate::tile::Source as _;
use crate::windows::{Sliding, Windows};
use crate::{Finish, Stored};

/// The dimensions of the filters of a convolution; those of one in one dimension have a height of 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterShape {
    /// Filters, which are the channels of the result.
    pub filters: usize,
    /// Channels that a filter reads: those of its group.
    pub channels: usize,
    /// Height and width.
    pub kernel: [usize; 2],
    /// Groups of channels, each with filters of its own.
    pub groups: usize,
}

impl FilterShape {
    /// Numbers of a filter.
    fn size(&self) -> usize {
        product([self.channels, self.kernel[0], self.kernel[1]])
    }

    /// Whether every channel has one filter of its own.
    fn is_depthwise(&self) -> bool {
        self.channels == 1 && self.groups == self.filters && self.groups > 1
    }

    fn check(&self, count: usize) {
        assert!(self.groups > 0 && self.filters.is_multiple_of(self.groups), "filters in equal groups");
        assert_eq!(
            count,
            product([self.filters, self.size()]),
            "{} filters of {} numbers",
            self.filters,
            self.size()
        );
    }
}

/// The filters of a convolution, laid out once in the order that they are multiplied in.
#[derive(Clone, Debug)]
pub struct PackedFilters {
    shape: FilterShape,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// For each group, panels of some filters each: the weights of one number of a window lie side by side.
    Products {
        width: usize,
        groups: Vec<Numbers<f32>>,
    },
    Depthwise(DepthwiseFilters),
}

impl PackedFilters {
    /// Packs filters of `[filters, channels, kernel height, kernel width]`. They are kept in f32 whatever they were
    /// stored in: a filter is read once for thousands of windows.
    ///
    /// # Panics
    ///
    /// When the number of weights does not fit the shape.
    ///
    /// ```
    /// use burnpipe_kernels::{FilterShape, Finish, Images, PackedFilters, Sliding};
    ///
    /// let shape = FilterShape { filters: 1, channels: 1, kernel: [1, 2], groups: 1 };
    /// let filters = PackedFilters::new(&[1.0_f32, 10.0], shape);
    /// let sequence = Images::channels_first(&[1.0, 2.0, 3.0, 4.0], 1, 1, [1, 4]);
    /// let sliding = Sliding { stride: [1, 2], ..Sliding::default() };
    /// assert_eq!(filters.slide(sequence, &sliding, &Finish::default()), [21.0, 43.0]);
    /// ```
    pub fn new<N: Stored>(weights: &[N], shape: FilterShape) -> Self {
        shape.check(weights.len());
        let bits = N::bits(weights);
        let form = if shape.is_depthwise() {
            Form::Depthwise(DepthwiseFilters::new(|at| N::widen(bits[at]), shape.filters, shape.kernel))
        } else {
            let width = panel_width();
            let group = |group| panels_of_group(|at| N::widen(bits[at]), shape, group, width);
            Form::Products { width, groups: (0..shape.groups).map(group).collect() }
        };
        Self { shape, form }
    }

    /// The filters, each multiplied by a number of its own, in f32 however they are stored: a batch norm that follows
    /// goes into them.
    ///
    /// # Panics
    ///
    /// When there is no scale for every filter.
    #[must_use]
    pub fn scaled(mut self, scales: &[f32]) -> Self {
        assert_eq!(scales.len(), self.shape.filters, "a scale per filter");
        match &mut self.form {
            Form::Depthwise(filters) => filters.scale(scales),
            Form::Products { width, groups } => {
                let count = self.shape.filters / self.shape.groups;
                for (panels, scales) in groups.iter_mut().zip(scales.chunks(count.max(1))) {
                    let panels = panels.chunks_mut((*width * self.shape.size()).max(1));
                    for (panel, scales) in panels.zip(scales.chunks(*width)) {
                        for row in panel.chunks_exact_mut(*width) {
                            row.iter_mut().zip(scales).for_each(|(weight, scale)| *weight *= scale);
                        }
                    }
                }
            }
        }
        self
    }

    /// What was packed.
    pub fn shape(&self) -> FilterShape {
        self.shape
    }

    /// Slides the filters over images, and finishes: `[batch, height, width, filters]`, as high and wide as there are
    /// [windows](Sliding::windows). The residual has that shape as well.
    ///
    /// # Panics
    ///
    /// When the images or what finishes do not fit the filters.
    pub fn slide(&self, images: Images<'_>, sliding: &Sliding, finish: &Finish<'_>) -> Vec<f32> {
        let FilterShape { filters, channels, kernel, groups } = self.shape;
        assert_eq!(images.channels, channels * groups, "images of {} channels", channels * groups);
        assert!(sliding.stride.iter().all(|&stride| stride > 0), "steps between windows");
        let windows = sliding.windows(images.size, kernel);
        let length = product([images.batch, windows[0], windows[1], filters]);
        assert!(finish.bias.is_none_or(|bias| bias.len() == filters), "a bias per filter");
        assert!(finish.residual.is_none_or(|residual| residual.len() == length), "a residual per result");
        let mut result = Vec::with_capacity(length);
        let target = Target { start: result.as_mut_ptr(), stride: filters, columns: filters };
        match &self.form {
            _ if length == 0 => {}
            Form::Depthwise(depthwise) => {
                depthwise.slide(
                    &images.arranged(1, sliding.padding),
                    images.batch,
                    windows,
                    sliding,
                    finish,
                    target,
                );
            }
            Form::Products { width, groups } => {
                let arranged = images.arranged(groups.len(), sliding.padding);
                let count = filters / groups.len();
                let jobs = groups.iter().enumerate().map(|(group, panels)| {
                    let first = group * count;
                    GroupJob {
                        source: Windows::new(&arranged, (group, images.batch), windows, kernel, sliding),
                        panels,
                        width: *width,
                        // SAFETY: the group's columns lie inside the rows of the result.
                        target: Target {
                            start: unsafe { target.start.add(first) },
                            columns: count,
                            ..target
                        },
                        finish: Finish {
                            bias: finish.bias.map(|bias| &bias[first..first + count]),
                            residual: finish.residual.map(|residual| &residual[first..]),
                            ..*finish
                        },
                    }
                });
                run(&jobs.collect::<Vec<GroupJob<'_>>>(), images.batch * windows[0] * windows[1]);
            }
        }
        // SAFETY: both have written every number.
        unsafe { result.set_len(length) };
        result
    }
}

/// Lays the filters of a group beside each other, their numbers in the order of a window with channels last.
fn panels_of_group(
    weight: impl Fn(usize) -> f32 + Sync,
    shape: FilterShape,
    group: usize,
    width: usize,
) -> Numbers<f32> {
    let (size, area) = (shape.size(), shape.kernel[0] * shape.kernel[1]);
    let count = shape.filters / shape.groups;
    let mut panels = Numbers::zeros(product([count.div_ceil(width), width, size]));
    panels.par_chunks_mut((width * size).max(1)).enumerate().for_each(|(number, panel)| {
        for (column, filter) in (number * width..count.min((number + 1) * width)).enumerate() {
            let start = (group * count + filter) * size;
            for at in 0..size {
                let (channel, pixel) = (at / area, at % area);
                panel[(pixel * shape.channels + channel) * width + column] = weight(start + at);
            }
        }
    });
    panels
}

/// The product of a group's windows and filters.
struct GroupJob<'a> {
    source: Windows<'a>,
    panels: &'a [f32],
    /// Filters of a panel.
    width: usize,
    target: Target,
    finish: Finish<'a>,
}

impl Whole for GroupJob<'_> {
    fn panels(&self) -> usize {
        self.target.columns.div_ceil(self.width)
    }

    fn work(&self) -> usize {
        self.source.depth() * self.target.columns
    }

    fn part(&self, rows: (usize, usize), panel_range: (usize, usize)) {
        dispatch(Product {
            source: self.source,
            panels: self.panels,
            panel_stride: self.source.depth() * self.width,
            row_stride: self.width,
            target: self.target,
            finish: self.finish,
            rows,
            panel_range,
        });
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;
    use proptest::prelude::*;

    use super::*;
    use crate::Activation;
    use crate::tests::numbers;

    /// `[batch, height, width, filters]` in f64, of images with channels first.
    fn by_loops(images: &Images<'_>, weights: &[f32], shape: FilterShape, sliding: &Sliding) -> Vec<f64> {
        let FilterShape { filters, channels, kernel, groups } = shape;
        let [height, width] = sliding.windows(images.size, kernel);
        let mut result = Vec::new();
        for at in 0..images.batch * height * width * filters {
            let (filter, x, y) = (at % filters, at / filters % width, at / filters / width % height);
            let image = at / filters / width / height;
            let mut sum = 0.0;
            for number in 0..shape.size() {
                let (down, right) = (number / kernel[1] % kernel[0], number % kernel[1]);
                let channel = filter / (filters / groups) * channels + number / kernel[1] / kernel[0];
                let y = (y * sliding.stride[0] + down * sliding.dilation[0]).wrapping_sub(sliding.padding[0]);
                let x =
                    (x * sliding.stride[1] + right * sliding.dilation[1]).wrapping_sub(sliding.padding[1]);
                if y < images.size[0] && x < images.size[1] {
                    let plane = (image * images.channels + channel) * images.size[0];
                    let pixel = images.values[(plane + y) * images.size[1] + x];
                    sum += f64::from(pixel) * f64::from(weights[filter * shape.size() + number]);
                }
            }
            result.push(sum);
        }
        result
    }

    /// Filters in every type, over images in both layouts, with all that finishes and without.
    fn check(batch: usize, size: [usize; 2], shape: FilterShape, sliding: Sliding) {
        let channels = shape.channels * shape.groups;
        let values = numbers(batch * channels * size[0] * size[1], 1);
        let images = Images::channels_first(&values, batch, channels, size);
        let turned = images.arranged(1, [0; 4]).values.into_owned();
        let layouts = [images, Images::channels_last(&turned, batch, channels, size)];
        let brain: Vec<bf16> =
            numbers(shape.filters * shape.size(), 2).iter().map(|&weight| bf16::from_f32(weight)).collect();
        let weights: Vec<f32> = brain.iter().map(|weight| weight.to_f32()).collect();
        let packed = [PackedFilters::new(&weights, shape), PackedFilters::new(&brain, shape)];
        let sums = by_loops(&images, &weights, shape, &sliding);
        let (bias, residual) = (numbers(shape.filters, 3), numbers(sums.len(), 4));
        let finish = Finish {
            bias: Some(&bias),
            activation: Some(Activation::Tanh),
            residual: Some(&residual),
            activation_of_sum: Some(Activation::Relu),
        };
        for (images, packed) in
            layouts.iter().flat_map(|images| packed.iter().map(move |packed| (images, packed)))
        {
            let plain = packed.slide(*images, &sliding, &Finish::default());
            let finished = packed.slide(*images, &sliding, &finish);
            assert_eq!((plain.len(), finished.len()), (sums.len(), sums.len()));
            for (at, &sum) in sums.iter().enumerate() {
                let activated = (sum + f64::from(bias[at % shape.filters])).tanh();
                let expected = (activated + f64::from(residual[at])).max(0.0);
                assert!((f64::from(plain[at]) - sum).abs() < 1e-4, "{} is not {sum}", plain[at]);
                assert!(
                    (f64::from(finished[at]) - expected).abs() < 1e-4,
                    "{} is not {expected}",
                    finished[at]
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

        #[test]
        fn convolutions_equal_f64(
            batch in 1_usize..3,
            groups in 1_usize..3,
            channels in 1_usize..4,
            filters in 1_usize..5,
            size in [1_usize..12, 1_usize..12],
            kernel in [1_usize..4, 1_usize..4],
            stride in [1_usize..3, 1_usize..3],
            dilation in [1_usize..3, 1_usize..3],
            padding in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        ) {
            let shape = FilterShape { filters: filters * groups, channels, kernel, groups };
            check(batch, size, shape, Sliding { stride, dilation, padding });
        }

        #[test]
        fn depthwise_convolutions_equal_f64(
            batch in 1_usize..3,
            channels in 2_usize..70,
            size in [1_usize..12, 1_usize..20],
            kernel in [1_usize..5, 1_usize..5],
            stride in [1_usize..3, 1_usize..3],
            dilation in [1_usize..3, 1_usize..3],
            padding in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        ) {
            let shape = FilterShape { filters: channels, channels: 1, kernel, groups: channels };
            check(batch, size, shape, Sliding { stride, dilation, padding });
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes minutes")]
    fn large_convolutions_go_through_every_loop() {
        // More windows than a block, runs longer than a step, several runs in a step, parts for several threads.
        let padding = [1; 4];
        let shape = FilterShape { filters: 40, channels: 100, kernel: [3, 3], groups: 1 };
        check(1, [14, 13], shape, Sliding { padding, ..Sliding::default() });
        check(1, [14, 13], shape, Sliding { padding, dilation: [2, 2], ..Sliding::default() });
        let shape = FilterShape { filters: 33, channels: 3, kernel: [7, 7], groups: 1 };
        check(2, [30, 29], shape, Sliding { stride: [2, 2], padding: [3; 4], ..Sliding::default() });
        let shape = FilterShape { filters: 48, channels: 12, kernel: [1, 65], groups: 4 };
        check(1, [1, 90], shape, Sliding { padding: [0, 32, 0, 31], ..Sliding::default() });
    }

    #[test]
    fn scaled_filters_give_scaled_results() {
        for (channels, groups) in [(3, 2), (1, 20)] {
            let shape = FilterShape { filters: 20, channels, kernel: [2, 2], groups };
            let (weights, scales) = (numbers(80 * channels, 1), numbers(20, 2));
            let values = numbers(9 * channels * groups, 3);
            let images = Images::channels_last(&values, 1, channels * groups, [3, 3]);
            let packed = PackedFilters::new(&weights, shape);
            let plain = packed.slide(images, &Sliding::default(), &Finish::default());
            let scaled = packed.scaled(&scales).slide(images, &Sliding::default(), &Finish::default());
            for (at, scaled) in scaled.iter().enumerate() {
                assert!((scaled - plain[at] * scales[at % 20]).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn nothing_in_nothing_out() {
        let shape = FilterShape { filters: 2, channels: 1, kernel: [3, 3], groups: 1 };
        let filters = PackedFilters::new(&[1.0; 18], shape);
        let small = Images::channels_first(&[1.0; 4], 1, 1, [2, 2]);
        assert!(filters.slide(small, &Sliding::default(), &Finish::default()).is_empty());
        let none = Images::channels_first(&[], 0, 1, [9, 9]);
        assert!(filters.slide(none, &Sliding::default(), &Finish::default()).is_empty());
    }
    #[test]
    fn windows_larger_than_memory_fit_nowhere() {
        let shape = FilterShape { filters: 1, channels: 1, kernel: [3, 1], groups: 1 };
        let filters = PackedFilters::new(&[1.0; 3], shape);
        let images = Images::channels_first(&[1.0; 4], 1, 1, [2, 2]);
        // Two steps of it are none: 2^64.
        let sliding = Sliding { dilation: [1 << 63, 1], ..Sliding::default() };
        assert_eq!(sliding.windows([2, 2], [3, 1]), [0, 2]);
        assert!(filters.slide(images, &sliding, &Finish::default()).is_empty());
    }

    #[test]
    #[should_panic(expected = "no memory holds")]
    fn filters_larger_than_memory_are_refused() {
        let shape = FilterShape { filters: 1, channels: 1 << 32, kernel: [1 << 16, 1 << 16], groups: 1 };
        PackedFilters::new::<f32>(&[], shape);
    }
}
