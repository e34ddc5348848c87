//! To what size an image is brought, and which part of it is taken.

use std::ops::Range;

use burnpipe_core::{Error, ErrorKind, Result};

use super::classes::{Defaults, Resizing};
use super::settings::{Settings, Size};
use crate::resize;

/// From this edge on ConvNeXT squeezes images into a square instead of cropping them.
const CONVNEXT_SQUARE: usize = 384;

/// What becomes of an image of one size.
pub(super) struct Geometry {
    /// Height and width after resizing.
    pub(super) resized: [usize; 2],
    /// The rows that are taken of it.
    pub(super) rows: Span,
    /// The columns.
    pub(super) columns: Span,
}

/// A stretch of one side of an image, which may reach past its ends.
pub(super) struct Span {
    pub(super) length: usize,
    /// What is added to a place in the span to get one in the image.
    offset: isize,
    /// The places in the span that lie inside the image.
    pub(super) inside: Range<usize>,
}

impl Geometry {
    pub(super) fn new(
        settings: &Settings,
        defaults: &Defaults,
        is_fast: bool,
        size: [usize; 2],
    ) -> Result<Self> {
        let mut resized = size;
        let mut own_crop = None;
        if settings.do_resize {
            resized = match (defaults.resizing, settings.size.and_then(|size| size.shortest_edge)) {
                (Resizing::ConvNext, Some(edge)) if edge < CONVNEXT_SQUARE => {
                    own_crop = Some(edge);
                    shorter_edge(size, enlarged(edge, settings.crop_pct))
                }
                (Resizing::ConvNext, Some(edge)) => [edge, edge],
                _ => resized_size(settings, defaults.resizing, size)?,
            };
        }
        let [height, width] = resized;
        resize::check(width, height)?;
        let mut spans = resized.map(Span::whole);
        let start = match defaults.resizing {
            _ if !is_fast => pillow_start,
            Resizing::PoolFormer => poolformer_start,
            _ => torch_start,
        };
        if let Some(edge) = own_crop {
            spans = spans.map(|span| span.cropped(edge, start));
        }
        if settings.do_center_crop
            && let Some(Size { height: Some(height), width: Some(width), .. }) = settings.crop_size
        {
            let [rows, columns] = spans;
            spans = [rows.cropped(height, start), columns.cropped(width, start)];
        }
        let [rows, columns] = spans;
        if rows.length == 0 || columns.length == 0 {
            return Err(Error::new(ErrorKind::Config, "`crop_size` leaves no pixels"));
        }
        Ok(Self { resized, rows, columns })
    }
}

impl Span {
    fn whole(length: usize) -> Self {
        Self { length, offset: 0, inside: 0..length }
    }

    /// The middle of it, or more than it is; `start` tells of what is left over how much stands in front.
    fn cropped(self, length: usize, start: fn(isize) -> isize) -> Self {
        let start = start(self.length as isize - length as isize);
        let inside = |place: usize| (place as isize - start).clamp(0, length as isize) as usize;
        let inside = inside(self.inside.start)..inside(self.inside.end);
        Self { length, offset: self.offset + start, inside }
    }

    /// The place in the image of a place in the span.
    pub(super) fn source(&self, place: usize) -> Option<usize> {
        self.inside.contains(&place).then(|| (place as isize + self.offset) as usize)
    }

    /// The places in the image that the span covers.
    pub(super) fn sources(&self) -> Range<usize> {
        let source = |place: usize| (place as isize + self.offset) as usize;
        if self.inside.is_empty() { 0..0 } else { source(self.inside.start)..source(self.inside.end) }
    }
}

/// `center_crop` of transformers.
fn pillow_start(room: isize) -> isize {
    room.div_euclid(2)
}

/// `center_crop` of torchvision: half, and of two halves the even one; what is missing is halved downwards.
fn torch_start(room: isize) -> isize {
    let half = room / 2;
    if room > 0 && room % 2 == 1 { half + half % 2 } else { half }
}

/// `center_crop` of the fast PoolFormer.
fn poolformer_start(room: isize) -> isize {
    room / 2
}

/// Height and width that `size` asks for.
fn resized_size(settings: &Settings, resizing: Resizing, size: [usize; 2]) -> Result<[usize; 2]> {
    let wanted = &settings.size.unwrap_or_default();
    let sides = wanted.height.zip(wanted.width).map(|(height, width)| [height, width]);
    let edge = wanted.shortest_edge;
    let found = match resizing {
        Resizing::Square => sides,
        Resizing::Edge => edge.map(|edge| shorter_edge(size, edge)).or(sides),
        Resizing::Levit => {
            edge.map(|edge| shorter_edge(size, (256.0 / 224.0 * edge as f64) as usize)).or(sides)
        }
        Resizing::PoolFormer if settings.crop_pct.is_some() => {
            let enlarged = |edge| enlarged(edge, settings.crop_pct);
            match (edge, sides) {
                (Some(edge), _) => Some(shorter_edge(size, enlarged(edge))),
                (_, Some([height, width])) if height == width => Some(shorter_edge(size, enlarged(height))),
                (_, sides) => sides.map(|sides| sides.map(enlarged)),
            }
        }
        Resizing::Any | Resizing::PoolFormer => any_form(wanted, size).or(sides),
        Resizing::ConvNext => None,
    };
    found.ok_or_else(|| {
        let keys = match resizing {
            Resizing::ConvNext => "`shortest_edge`",
            Resizing::Square => "`height` and `width`",
            _ => "`shortest_edge`, or `height` and `width`",
        };
        Error::new(ErrorKind::Config, format!("the `size` of this image processor needs {keys}"))
    })
}

/// What fast classes read beside `height` and `width`.
fn any_form(wanted: &Size, size: [usize; 2]) -> Option<[usize; 2]> {
    match (wanted.shortest_edge, wanted.longest_edge, wanted.max_height.zip(wanted.max_width)) {
        (Some(shortest), Some(longest), _) => Some(between_edges(size, shortest, longest)),
        (Some(shortest), None, _) => Some(shorter_edge(size, shortest)),
        (_, _, Some((max_height, max_width))) => Some(within(size, [max_height, max_width])),
        _ => None,
    }
}

fn enlarged(edge: usize, crop_pct: Option<f64>) -> usize {
    (edge as f64 / crop_pct.unwrap_or(1.0)) as usize
}

/// The shorter side as wanted and the other in proportion: `get_resize_output_image_size`.
fn shorter_edge([height, width]: [usize; 2], edge: usize) -> [usize; 2] {
    let other = |long: usize, short: usize| (edge as u128 * long as u128) as f64 / short as f64;
    if width <= height {
        [other(height, width) as usize, edge]
    } else {
        [edge, other(width, height) as usize]
    }
}

/// The shorter side as wanted, unless the longer one would be too long: `get_size_with_aspect_ratio`.
fn between_edges([height, width]: [usize; 2], shortest: usize, longest: usize) -> [usize; 2] {
    let (short, long) = (height.min(width) as f64, height.max(width) as f64);
    let limited = long / short * shortest as f64 > longest as f64;
    let exact = if limited { longest as f64 * short / long } else { shortest as f64 };
    let edge = exact.round_ties_even() as usize;
    if short as usize == edge {
        [height, width]
    } else if width < height {
        [(exact * height as f64 / width as f64) as usize, edge]
    } else {
        [edge, (exact * width as f64 / height as f64) as usize]
    }
}

/// As large as fits: `get_image_size_for_max_height_width`.
fn within(size: [usize; 2], most: [usize; 2]) -> [usize; 2] {
    let scale = |side: usize| most[side] as f64 / size[side] as f64;
    let scale = scale(0).min(scale(1));
    size.map(|side| (side as f64 * scale) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crops_start_where_each_library_starts_them() {
        assert_eq!([-3, -2, 3, 5, 4].map(pillow_start), [-2, -1, 1, 2, 2]);
        assert_eq!([-3, -2, 3, 5, 4].map(torch_start), [-1, -1, 2, 2, 2]);
        assert_eq!([-3, -2, 3, 5, 4].map(poolformer_start), [-1, -1, 1, 2, 2]);
    }

    #[test]
    fn a_crop_beyond_an_image_is_outside_of_it() {
        let span = Span::whole(3).cropped(6, pillow_start);
        assert_eq!((span.length, span.inside.clone(), span.sources()), (6, 2..5, 0..3));
        assert_eq!((span.source(1), span.source(2), span.source(4)), (None, Some(0), Some(2)));
        // What a first crop cut away stays away.
        let span = Span::whole(9).cropped(3, pillow_start).cropped(5, pillow_start);
        assert_eq!((span.inside.clone(), span.sources()), (1..4, 3..6));
    }
}
