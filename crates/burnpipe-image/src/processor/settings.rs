//! The settings of a processor, from the JSON of a config and of a call.

use burnpipe_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::classes::{DefaultSize, Defaults, Extra, Resizing};
use crate::Filter;

/// `preprocessor_config.json`, its silence filled with the defaults of the class.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) do_resize: bool,
    pub(super) size: Option<Size>,
    pub(super) resample: Option<Filter>,
    pub(super) crop_pct: Option<f64>,
    pub(super) do_center_crop: bool,
    pub(super) crop_size: Option<Size>,
    pub(super) do_rescale: bool,
    pub(super) rescale_factor: Option<f64>,
    pub(super) rescale_offset: bool,
    pub(super) do_normalize: bool,
    pub(super) image_mean: Option<[f64; 3]>,
    pub(super) image_std: Option<[f64; 3]>,
    pub(super) include_top: bool,
    pub(super) do_flip_channel_order: bool,
}

/// `size` and `crop_size`: one of HF's sets of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) height: Option<usize>,
    pub(super) width: Option<usize>,
    pub(super) shortest_edge: Option<usize>,
    pub(super) longest_edge: Option<usize>,
    pub(super) max_height: Option<usize>,
    pub(super) max_width: Option<usize>,
}

impl Settings {
    pub(super) fn read(config: &Map<String, Value>, defaults: &Defaults, is_fast: bool) -> Result<Self> {
        let reader = Reader { config, is_fast };
        let default_to_square = match config.get("default_to_square") {
            Some(Value::Bool(is_square)) if is_fast => *is_square,
            _ => defaults.default_to_square,
        };
        let crops = defaults.crops(is_fast);
        let normal = defaults.normal;
        Ok(Self {
            do_resize: reader.flag("do_resize", true)?,
            size: reader.size("size", default_to_square, Some(defaults.size.into()))?,
            resample: reader.filter(defaults.resample)?,
            crop_pct: reader.fraction(defaults)?,
            do_center_crop: crops && reader.flag("do_center_crop", defaults.do_center_crop)?,
            crop_size: reader.size("crop_size", true, defaults.crop_size.map(Size::square))?,
            do_rescale: reader.flag("do_rescale", true)?,
            rescale_factor: reader.number("rescale_factor", Some(1.0 / 255.0))?,
            rescale_offset: defaults.extra == Extra::EfficientNet && reader.flag("rescale_offset", false)?,
            do_normalize: normal.is_some() && reader.flag("do_normalize", true)?,
            image_mean: reader.colors("image_mean", normal.map(|normal| normal.mean))?,
            image_std: reader.colors("image_std", normal.map(|normal| normal.std))?,
            include_top: defaults.extra == Extra::EfficientNet && reader.flag("include_top", true)?,
            do_flip_channel_order: defaults.extra == Extra::MobileVit
                && reader.flag("do_flip_channel_order", true)?,
        })
    }
}

/// Looks values up as the classes' constructors do.
struct Reader<'a> {
    config: &'a Map<String, Value>,
    is_fast: bool,
}

impl Reader<'_> {
    /// What silence means: the default. A `null` means nothing at all.
    fn absent<T>(&self, key: &str, default: Option<T>) -> Option<T> {
        if self.config.contains_key(key) { None } else { default }
    }

    /// The same where slow classes take the default for a `null` too.
    fn absent_or_null<T>(&self, key: &str, default: Option<T>) -> Option<T> {
        if self.is_fast { self.absent(key, default) } else { default }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.config.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.value(key) {
            None => Ok(self.absent(key, Some(default)).unwrap_or(false)),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => Err(wrong(key, value, "true or false")),
        }
    }

    fn number(&self, key: &str, default: Option<f64>) -> Result<Option<f64>> {
        match self.value(key) {
            None => Ok(self.absent(key, default)),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| wrong(key, value, "a number")),
        }
    }

    /// `crop_pct`, whose `null` is the default to a slow ConvNeXT and none to PoolFormer.
    fn fraction(&self, defaults: &Defaults) -> Result<Option<f64>> {
        let Some(default) = defaults.crop_pct else { return Ok(None) };
        let fraction = match self.number("crop_pct", Some(default))? {
            None if defaults.resizing == Resizing::ConvNext && !self.is_fast => Some(default),
            fraction => fraction,
        };
        match fraction {
            Some(fraction) if !(fraction > 0.0 && fraction.is_finite()) => {
                Err(wrong("crop_pct", &fraction.into(), "a number above 0"))
            }
            fraction => Ok(fraction),
        }
    }

    fn filter(&self, default: Filter) -> Result<Option<Filter>> {
        const KEY: &str = "resample";
        match self.value(KEY) {
            None => Ok(self.absent(KEY, Some(default))),
            Some(value) => {
                let filter = value.as_u64().and_then(Filter::from_id);
                filter
                    .map(Some)
                    .ok_or_else(|| wrong(KEY, value, "a number from 0 to 5, as Pillow counts its filters"))
            }
        }
    }

    /// One number for every colour or one for each.
    fn colors(&self, key: &str, default: Option<[f64; 3]>) -> Result<Option<[f64; 3]>> {
        let Some(value) = self.value(key) else { return Ok(self.absent_or_null(key, default)) };
        let colors = match value {
            Value::Array(values) => {
                let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
                values.and_then(|values| <[f64; 3]>::try_from(values).ok())
            }
            value => value.as_f64().map(|value| [value; 3]),
        };
        colors.map(Some).ok_or_else(|| wrong(key, value, "a number, or one each for red, green and blue"))
    }

    fn size(&self, key: &str, default_to_square: bool, default: Option<Size>) -> Result<Option<Size>> {
        const FORMS: &str = "a number, [height, width], or an object with `height` and `width`, `shortest_edge`, \
                             `shortest_edge` and `longest_edge`, `longest_edge`, or `max_height` and `max_width`";
        let Some(value) = self.value(key) else { return Ok(self.absent_or_null(key, default)) };
        let pixels = |value: &Value| value.as_u64().and_then(|pixels| usize::try_from(pixels).ok());
        let size = match value {
            Value::Array(sides) => match sides.as_slice() {
                [height, width, ..] => {
                    Some(Size { height: pixels(height), width: pixels(width), ..Size::default() })
                }
                _ => None,
            },
            Value::Object(sides) => Size::of_object(sides, pixels),
            value if default_to_square => pixels(value).map(Size::square),
            value => pixels(value).map(Size::shortest_edge),
        };
        let is_whole =
            |size: &Size| *size != Size::default() && size.height.is_some() == size.width.is_some();
        size.filter(is_whole).map(Some).ok_or_else(|| wrong(key, value, FORMS))
    }
}

impl Size {
    pub(super) fn square(side: usize) -> Self {
        Self { height: Some(side), width: Some(side), ..Self::default() }
    }

    fn shortest_edge(edge: usize) -> Self {
        Self { shortest_edge: Some(edge), ..Self::default() }
    }

    /// `None` when the keys are none of HF's sets.
    fn of_object(sides: &Map<String, Value>, pixels: impl Fn(&Value) -> Option<usize>) -> Option<Self> {
        const SETS: [&[&str]; 5] = [
            &["height", "width"],
            &["shortest_edge"],
            &["shortest_edge", "longest_edge"],
            &["longest_edge"],
            &["max_height", "max_width"],
        ];
        let is_set =
            |set: &&[&str]| set.len() == sides.len() && set.iter().all(|key| sides.contains_key(*key));
        let set = SETS.iter().find(|set| is_set(set))?;
        let values: Option<Vec<usize>> = set.iter().map(|key| sides.get(*key).and_then(&pixels)).collect();
        let values = values?;
        let of =
            |key: &str| set.iter().position(|other| *other == key).and_then(|at| values.get(at).copied());
        Some(Self {
            height: of("height"),
            width: of("width"),
            shortest_edge: of("shortest_edge"),
            longest_edge: of("longest_edge"),
            max_height: of("max_height"),
            max_width: of("max_width"),
        })
    }
}

impl From<DefaultSize> for Size {
    fn from(size: DefaultSize) -> Self {
        match size {
            DefaultSize::Square(side) => Self::square(side),
            DefaultSize::ShortestEdge(edge) => Self::shortest_edge(edge),
        }
    }
}

fn wrong(key: &str, value: &Value, wanted: &str) -> Error {
    Error::new(ErrorKind::Config, format!("`{key}` is {value}, but is {wanted}"))
}
