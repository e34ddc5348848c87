//! The image processors of `preprocessor_config.json`.
//!
//! `transformers/image_processing_utils.py` and `image_processing_utils_fast.py` of 4.56.2, and the classes of
//! [`classes`]. All of them resize, crop, rescale and normalise; what they do to a number depends on nothing but its
//! colour, so that a table of 256 entries a colour stands for rescaling and normalising.

mod classes;
mod geometry;
mod settings;

use std::sync::Arc;

use burnpipe_core::{
    Error, ErrorContext, ErrorKind, ModelFiles, ProcessorConfig, Result, quoted, suggestion,
};
use serde_json::{Map, Value};

use self::classes::{Class, Defaults, Extra, Resizing};
use self::geometry::Geometry;
use self::settings::Settings;
use crate::resize::{self, Arithmetic};
use crate::{Filter, Image, PixelValues};

/// What makes [`PixelValues`] of an [`Image`], as a model's `preprocessor_config.json` says.
///
/// The classes of vision encoders are known: BEiT, BiT (DINOv2), BLIP, CLIP, ChineseCLIP, ConvNeXT (ResNet), DINOv3,
/// DeiT, EfficientNet, LeViT, MobileNet, MobileViT, PoolFormer, PVT, SegFormer, SigLIP, ViT (Swin), each as the class
/// that works with Pillow and, where the config names one that ends in `Fast`, the one that works with torchvision.
#[derive(Clone)]
pub struct ImageProcessor {
    class: &'static Class,
    is_fast: bool,
    /// The config, with what a call replaced.
    config: Map<String, Value>,
    settings: Settings,
    /// What a number becomes: `[colour, number]`.
    tables: Arc<[[f32; 256]; 3]>,
}

impl ImageProcessor {
    /// Reads `preprocessor_config.json`.
    ///
    /// # Errors
    ///
    /// When it is missing, or asks for what is not known.
    pub fn load(files: &dyn ModelFiles) -> Result<Self> {
        let config = ProcessorConfig::read(files, "image_processor")?;
        let name = config.class(files, "image_processor_type", named_class, classes::of_model)?;
        let (class, is_fast) = classes::find(&name).ok_or_else(|| {
            let known = quoted(classes::names());
            let message = format!(
                "the image processor `{name}` of `{}` is not known; known: {known}",
                files.model_name()
            );
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let message = || format!("cannot use `{}` of `{}`", config.file, files.model_name());
        Self::new(class, is_fast, config.settings).context(ErrorKind::Config, message)
    }

    fn new(class: &'static Class, is_fast: bool, config: Map<String, Value>) -> Result<Self> {
        let defaults = defaults(class, is_fast);
        let settings = Settings::read(&config, defaults, is_fast)?;
        settings.check(defaults, is_fast)?;
        let tables = Arc::new(tables(&settings, defaults, is_fast));
        Ok(Self { class, is_fast, config, settings, tables })
    }

    /// The processor with some of its settings replaced, by the names of the config: `image_processor_kwargs`.
    ///
    /// # Errors
    ///
    /// When a name is not known or a value cannot be used.
    pub fn with(&self, settings: &Map<String, Value>) -> Result<Self> {
        let known = self.known_settings();
        let mut config = self.config.clone();
        for (name, value) in settings {
            if !known.contains(&name.as_str()) {
                let tail = suggestion(name, known.iter().copied());
                let message = format!("`{}` has no setting `{name}`; {tail}", self.class.name);
                return Err(Error::new(ErrorKind::Parameter, message));
            }
            // To slow classes a `null` says that nothing is replaced.
            if self.is_fast || !value.is_null() {
                config.insert(name.clone(), value.clone());
            }
        }
        Self::new(self.class, self.is_fast, config)
            .context(ErrorKind::Parameter, || "cannot use the settings of the image processor")
    }

    fn known_settings(&self) -> Vec<&'static str> {
        let defaults = defaults(self.class, self.is_fast);
        let of =
            |names: &[&'static str], are_known: bool| if are_known { names.to_vec() } else { Vec::new() };
        [
            of(&["do_resize", "size", "resample", "do_rescale", "rescale_factor", "do_convert_rgb"], true),
            // Fast classes that neither crop nor normalise take these all the same, and leave them alone.
            of(&["do_center_crop", "crop_size"], self.is_fast || defaults.crops(false)),
            of(&["do_normalize", "image_mean", "image_std"], self.is_fast || defaults.normal.is_some()),
            of(&["crop_pct"], defaults.crop_pct.is_some()),
            of(&["rescale_offset", "include_top"], defaults.extra == Extra::EfficientNet),
            of(&["do_flip_channel_order"], defaults.extra == Extra::MobileVit),
            of(&["default_to_square"], self.is_fast),
        ]
        .concat()
    }

    /// Resizes, crops, rescales, normalises.
    ///
    /// # Errors
    ///
    /// When the image cannot be brought to the size that the settings ask for.
    pub fn process(&self, image: &Image) -> Result<PixelValues> {
        let defaults = defaults(self.class, self.is_fast);
        let geometry =
            Geometry::new(&self.settings, defaults, self.is_fast, [image.height(), image.width()])?;
        let arithmetic = if self.is_fast { Arithmetic::Torch } else { Arithmetic::Pillow };
        let [height, width] = geometry.resized;
        let filter = self.settings.resample.unwrap_or(defaults.resample);
        let is_resized = geometry.resized != [image.height(), image.width()];
        // The nearest pixel is the same before and after.
        if defaults.extra == Extra::RescaleFirst && is_resized && filter != Filter::Nearest {
            resize::check_passes(image, width, height, filter)?;
            return Ok(self.rescaled_first(image, &geometry, filter));
        }
        let resized;
        let image = if is_resized {
            resized = resize::resize_with(image, width, height, filter, arithmetic)?;
            &resized
        } else {
            image
        };
        Ok(self.values(image, &geometry))
    }

    /// What the tables make of the pixels below the window; beside the image all is black.
    fn values(&self, image: &Image, geometry: &Geometry) -> PixelValues {
        let (rows, columns) = (&geometry.rows, &geometry.columns);
        let mut values = Vec::with_capacity(3 * rows.length * columns.length);
        for channel in 0..3 {
            let color = if self.settings.do_flip_channel_order { 2 - channel } else { channel };
            let table = &self.tables[color];
            for y in 0..rows.length {
                let Some(row) = rows.source(y) else {
                    values.extend(std::iter::repeat_n(table[0], columns.length));
                    continue;
                };
                let pixels =
                    image.pixels()[row * image.width() * 3..][..image.width() * 3].as_chunks::<3>().0;
                let inside = &pixels[columns.sources()];
                values.extend(std::iter::repeat_n(table[0], columns.inside.start));
                values.extend(inside.iter().map(|pixel| table[usize::from(pixel[color])]));
                values.extend(std::iter::repeat_n(table[0], columns.length - columns.inside.end));
            }
        }
        PixelValues { channels: 3, height: rows.length, width: columns.length, values }
    }

    /// DINOv3: resizes what is rescaled, and normalises that.
    fn rescaled_first(&self, image: &Image, geometry: &Geometry, filter: Filter) -> PixelValues {
        let settings = &self.settings;
        let factor = settings.rescale_factor.unwrap_or(1.0) as f32;
        let planes: Vec<f32> = (0..3)
            .flat_map(|color| {
                image.pixels().as_chunks::<3>().0.iter().map(move |pixel| f32::from(pixel[color]) * factor)
            })
            .collect();
        let planes =
            resize::resize_planes(&planes, [image.height(), image.width()], geometry.resized, filter);
        let [height, width] = geometry.resized;
        let (rows, columns) = (&geometry.rows, &geometry.columns);
        let mut values = Vec::with_capacity(3 * rows.length * columns.length);
        for (color, plane) in planes.chunks_exact(height * width).enumerate() {
            let of = |colors: Option<[f64; 3]>| colors.map_or(0.0, |colors| colors[color] as f32);
            let (mean, std) = (of(settings.image_mean), of(settings.image_std));
            let normal = |value: f32| if settings.do_normalize { (value - mean) / std } else { value };
            let cell = |y, x| Some(plane[rows.source(y)? * width + columns.source(x)?]);
            let cells = (0..rows.length).flat_map(|y| (0..columns.length).map(move |x| (y, x)));
            values.extend(cells.map(|(y, x)| normal(cell(y, x).unwrap_or(0.0))));
        }
        PixelValues { channels: 3, height: rows.length, width: columns.length, values }
    }
}

impl std::fmt::Debug for ImageProcessor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct(self.class.name);
        debug.field("is_fast", &self.is_fast).field("settings", &self.settings).finish()
    }
}

fn defaults(class: &'static Class, is_fast: bool) -> &'static Defaults {
    match &class.slow {
        Some(slow) if !is_fast => slow,
        _ => &class.fast,
    }
}

/// The class that a config names: as an image processor's, or as the feature extractor that it was called once.
fn named_class(config: &Map<String, Value>) -> Option<String> {
    let name = |key: &str| config.get(key).and_then(Value::as_str);
    let renamed = || Some(name("feature_extractor_type")?.replace("FeatureExtractor", "ImageProcessor"));
    name("image_processor_type").map(str::to_owned).or_else(renamed)
}

/// What rescaling and normalising make of every number of every colour.
fn tables(settings: &Settings, defaults: &Defaults, is_fast: bool) -> [[f32; 256]; 3] {
    let factor = settings.rescale_factor.filter(|_| settings.do_rescale);
    let is_fused = settings.fuses(defaults, is_fast);
    let mut tables = [[0.0; 256]; 3];
    for (color, table) in tables.iter_mut().enumerate() {
        let of = |colors: Option<[f64; 3]>| colors.map_or(0.0, |colors| colors[color] as f32);
        let (mut mean, mut std) = (of(settings.image_mean), of(settings.image_std));
        for (number, value) in (0..=255u8).zip(table.iter_mut()) {
            *value = f32::from(number);
            match factor {
                Some(_) if is_fused => {}
                Some(factor) if is_fast => *value *= factor as f32,
                Some(factor) => *value = (f64::from(number) * factor) as f32,
                None => {}
            }
            if factor.is_some() && settings.rescale_offset {
                *value -= 1.0;
            }
        }
        let plain_std = std;
        if let Some(factor) = factor.filter(|_| is_fused) {
            let scale = (1.0 / factor) as f32;
            (mean, std) = (mean * scale, std * scale);
        }
        if settings.do_normalize {
            table.iter_mut().for_each(|value| *value = (*value - mean) / std);
        }
        if settings.include_top {
            table.iter_mut().for_each(|value| *value /= plain_std);
        }
    }
    tables
}

impl Settings {
    /// Whether anything is divided by `image_std`.
    fn divides(&self) -> bool {
        self.do_normalize || self.include_top
    }

    /// Whether rescaling is a part of normalising, as fast classes have it, which divide by `rescale_factor` then.
    fn fuses(&self, defaults: &Defaults, is_fast: bool) -> bool {
        let rescales_alone = self.rescale_offset || defaults.extra == Extra::RescaleFirst;
        is_fast && self.do_rescale && self.do_normalize && !rescales_alone
    }

    /// What Python finds wrong when it runs, and what it has no memory for.
    fn check(&self, defaults: &Defaults, is_fast: bool) -> Result<()> {
        let wrong = |message: &str| Err(Error::new(ErrorKind::Config, message));
        if self.do_rescale && self.rescale_factor.is_none() {
            return wrong("`do_rescale` needs a `rescale_factor`");
        }
        if self.fuses(defaults, is_fast) && self.rescale_factor == Some(0.0) {
            return wrong("`rescale_factor` is 0, and the fast processors divide by it");
        }
        if self.do_center_crop {
            match self.crop_size.and_then(|size| size.height.zip(size.width)) {
                None => return wrong("`do_center_crop` needs a `crop_size` with `height` and `width`"),
                Some((height, width)) => resize::check(width, height)
                    .context(ErrorKind::Config, || "`crop_size` is of no use".to_owned())?,
            }
        }
        if self.do_normalize && self.image_mean.is_none() || self.divides() && self.image_std.is_none() {
            return wrong("`do_normalize` needs `image_mean` and `image_std`");
        }
        if self.divides() && self.image_std.is_some_and(|std| std.contains(&0.0)) {
            return wrong("`image_std` holds a zero, and nothing can be divided by it");
        }
        if self.do_resize && self.size.is_none() {
            return wrong("`do_resize` needs a `size`");
        }
        if self.do_resize && defaults.resizing == Resizing::ConvNext && self.crop_pct.is_none() {
            return wrong("`do_resize` needs a `crop_pct`");
        }
        if defaults.extra == Extra::RescaleFirst && self.do_normalize && !self.do_rescale {
            return wrong("this processor normalises only what it has rescaled: `do_rescale` must be true");
        }
        match self.resample {
            None if self.do_resize => wrong("`do_resize` needs a `resample`"),
            Some(Filter::Lanczos | Filter::Box | Filter::Hamming) if self.do_resize && is_fast => {
                wrong("the fast processors resize by `resample` 0, 2 and 3 only")
            }
            _ => Ok(()),
        }
    }
}
