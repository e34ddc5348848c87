//! The windows of a convolution as rows of a matrix, which are read where they lie in the images.

use std::marker::PhantomData;

use crate::gemm::ROWS;
use crate::images::Arranged;
use crate::tile::{Source, Step, even_part};

/// How filters slide over images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding {
    /// Steps between windows, down and right.
    pub stride: [usize; 2],
    /// Steps between the pixels of a window, down and right.
    pub dilation: [usize; 2],
    /// Zeros around the image: top, left, bottom, right.
    pub padding: [usize; 4],
}

impl Default for Sliding {
    fn default() -> Self {
        Self { stride: [1; 2], dilation: [1; 2], padding: [0; 4] }
    }
}

impl Sliding {
    /// How many windows of `kernel` there are, down and right: none where they or the image are larger than any memory.
    ///
    /// # Panics
    ///
    /// When a stride is 0 and a window fits.
    pub fn windows(&self, size: [usize; 2], kernel: [usize; 2]) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let room = || {
                let padded =
                    self.padding[axis].checked_add(size[axis])?.checked_add(self.padding[axis + 2])?;
                let steps = self.dilation[axis].checked_mul(kernel[axis].saturating_sub(1))?;
                padded.checked_sub(steps.checked_add(1)?)
            };
            room().map_or(0, |room| room / self.stride[axis] + 1)
        })
    }
}

/// The windows of one group of channels.
///
/// A row holds the pixels of its window line by line. Lines are read together, as runs of a step; where
/// the pixels of a line are apart, each of them is a run.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a> {
    start: *const f32,
    life: PhantomData<&'a [f32]>,
    images: usize,
    /// Windows of an image, down and right.
    windows: [usize; 2],
    /// Numbers from one image, one row and one column of windows to the next.
    pitches: [usize; 3],
    /// Lines that are not read together, and numbers from one to the next.
    lines: (usize, usize),
    /// Runs that are, and numbers from one to the next.
    runs: (usize, usize),
    /// Numbers of a run.
    length: usize,
}

// SAFETY: it stands for a shared slice.
unsafe impl Send for Windows<'_> {}
// SAFETY: as above.
unsafe impl Sync for Windows<'_> {}

impl<'a> Windows<'a> {
    /// # Panics
    ///
    /// When a window reaches beyond the images.
    pub(crate) fn new(
        arranged: &'a Arranged<'_>,
        (group, images): (usize, usize),
        windows: [usize; 2],
        kernel: [usize; 2],
        sliding: &Sliding,
    ) -> Self {
        let Arranged { channels, row_stride, image_stride, .. } = *arranged;
        let ([down, right], [row_step, column_step]) = (kernel, sliding.dilation);
        let (line_pitch, pixel_pitch) = (row_step * row_stride, column_step * channels);
        let (lines, runs, length) = match column_step == 1 || right == 1 {
            true => ((1, 0), (down, line_pitch), right * channels),
            false => ((down, line_pitch), (right, pixel_pitch), channels),
        };
        let pitches = [image_stride, sliding.stride[0] * row_stride, sliding.stride[1] * channels];
        let values = &arranged.values[(group * arranged.group_stride).min(arranged.values.len())..];
        let last = |(count, pitch): (usize, usize)| count.saturating_sub(1) * pitch;
        let counts = [images, windows[0], windows[1]];
        let start: usize = counts.into_iter().zip(pitches).map(last).sum();
        let empty = counts.contains(&0) || down * right * channels == 0;
        assert!(
            empty || values.len() >= start + last(lines) + last(runs) + length,
            "windows inside the images"
        );
        // Where nothing is read, no address leaves the images either.
        let pitches = if empty { [0; 3] } else { pitches };
        Self { start: values.as_ptr(), life: PhantomData, images, windows, pitches, lines, runs, length }
    }
}

impl Source for Windows<'_> {
    /// Where each window starts.
    type Block = [usize; ROWS];
    type Tile<const R: usize> = [*const f32; R];

    #[inline(always)]
    fn count(self) -> usize {
        self.images * self.windows[0] * self.windows[1]
    }

    #[inline(always)]
    fn depth(self) -> usize {
        self.lines.0 * self.runs.0 * self.length
    }

    #[inline(always)]
    fn step(self, first: usize, most: usize) -> Step {
        let (runs, pitch) = self.runs;
        let line = runs * self.length;
        let (above, rest) = (first / line.max(1), first % line.max(1));
        let (run, at) = (rest / self.length.max(1), rest % self.length.max(1));
        let start = above * self.lines.1 + run * pitch + at;
        if self.length > most {
            let length = even_part(self.length, most).min(self.length - at);
            return Step { start, runs: 1, length, pitch };
        }
        let together = even_part(runs, most / self.length.max(1));
        Step { start, runs: together.min(runs - run), length: self.length, pitch }
    }

    #[inline(always)]
    fn block(self, from: usize, to: usize) -> [usize; ROWS] {
        let [down, right] = self.windows;
        let [image_pitch, row_pitch, column_pitch] = self.pitches;
        let (mut x, mut y) = (from % right, from / right % down);
        let mut image = from / right / down * image_pitch;
        let mut starts = [0; ROWS];
        for start in &mut starts[..to - from] {
            *start = image + y * row_pitch + x * column_pitch;
            x += 1;
            if x == right {
                (x, y) = (0, y + 1);
            }
            if y == down {
                (y, image) = (0, image + image_pitch);
            }
        }
        starts
    }

    #[inline(always)]
    unsafe fn tile<const R: usize>(self, block: &[usize; ROWS], row: usize) -> [*const f32; R] {
        // SAFETY: the caller's promise; `new` has checked that every window lies inside the images.
        std::array::from_fn(|at| unsafe { self.start.add(*block.get_unchecked(row + at)) })
    }

    #[inline(always)]
    unsafe fn number<const R: usize>(tile: &[*const f32; R], row: usize, at: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *tile[row].add(at) }
    }
}
