//! The processors by the names that configs give them, with their defaults.
//!
//! `transformers/models/*/image_processing_*.py` of 4.56.2. A name that ends in `Fast` means the class that works
//! with torchvision, any other the one that works with Pillow: `AutoImageProcessor` takes what was saved.

use crate::Filter;

/// A class and its fast twin.
pub(super) struct Class {
    /// Without `Fast`.
    pub(super) name: &'static str,
    /// Of the class that works with Pillow, where there is one.
    pub(super) slow: Option<Defaults>,
    pub(super) fast: Defaults,
}

/// What a class does where its config is silent.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) size: DefaultSize,
    /// Whether a `size` of one number is a square, and not the shorter edge.
    pub(super) default_to_square: bool,
    pub(super) resizing: Resizing,
    pub(super) resample: Filter,
    /// `None` where the class does not crop.
    pub(super) crop_size: Option<usize>,
    pub(super) do_center_crop: bool,
    /// `None` where the class does not normalise.
    pub(super) normal: Option<Normal>,
    pub(super) crop_pct: Option<f64>,
    pub(super) extra: Extra,
}

impl Defaults {
    /// Whether the class reads `do_center_crop`: fast ones do, but for SegFormer's.
    pub(super) fn crops(&self, is_fast: bool) -> bool {
        self.crop_size.is_some() || is_fast && self.extra != Extra::NeverCrops
    }
}

#[derive(Clone, Copy)]
pub(super) enum DefaultSize {
    Square(usize),
    ShortestEdge(usize),
}

/// How a class reads `size`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resizing {
    /// `height` and `width`.
    Square,
    /// `shortest_edge`, or `height` and `width`.
    Edge,
    /// Every form that fast classes know.
    Any,
    /// `shortest_edge`: a square from 384 on, below it an edge of `shortest_edge / crop_pct` and a crop.
    ConvNext,
    /// An edge of `shortest_edge * 256 / 224`, or `height` and `width`.
    Levit,
    /// As `Any`, enlarged by `crop_pct`.
    PoolFormer,
}

/// Mean and standard deviation.
#[derive(Clone, Copy)]
pub(super) struct Normal {
    pub(super) mean: [f64; 3],
    pub(super) std: [f64; 3],
}

/// What only one class does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    None,
    /// `rescale_offset` takes one away, and `include_top` divides by `image_std` once more.
    EfficientNet,
    /// `do_flip_channel_order` puts blue first.
    MobileVit,
    /// Not even the fast class crops.
    NeverCrops,
    /// Pixels are rescaled before they are resized.
    RescaleFirst,
}

const IMAGENET: Normal = Normal { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const STANDARD: Normal = Normal { mean: [0.5; 3], std: [0.5; 3] };
const CLIP: Normal =
    Normal { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };

/// ViT's.
const SQUARE: Defaults = Defaults {
    size: DefaultSize::Square(224),
    default_to_square: true,
    resizing: Resizing::Square,
    resample: Filter::Bilinear,
    crop_size: None,
    do_center_crop: false,
    normal: Some(STANDARD),
    crop_pct: None,
    extra: Extra::None,
};

/// CLIP's.
const EDGE: Defaults = Defaults {
    size: DefaultSize::ShortestEdge(224),
    default_to_square: false,
    resizing: Resizing::Edge,
    resample: Filter::Bicubic,
    crop_size: Some(224),
    do_center_crop: true,
    normal: Some(CLIP),
    ..SQUARE
};

const BEIT: Defaults = Defaults {
    size: DefaultSize::Square(256),
    resample: Filter::Bicubic,
    crop_size: Some(224),
    do_center_crop: true,
    ..SQUARE
};

const MOBILENET: Defaults = Defaults {
    size: DefaultSize::ShortestEdge(256),
    resample: Filter::Bilinear,
    normal: Some(STANDARD),
    ..EDGE
};

/// Alphabetic.
const CLASSES: &[Class] = &[
    Class {
        name: "BeitImageProcessor",
        slow: Some(BEIT),
        fast: fast(Defaults { size: DefaultSize::Square(224), do_center_crop: false, ..BEIT }),
    },
    both("BitImageProcessor", EDGE),
    both(
        "BlipImageProcessor",
        Defaults { size: DefaultSize::Square(384), resample: Filter::Bicubic, normal: Some(CLIP), ..SQUARE },
    ),
    both("CLIPImageProcessor", EDGE),
    both("ChineseCLIPImageProcessor", Defaults { resizing: Resizing::Square, ..EDGE }),
    both(
        "ConvNextImageProcessor",
        Defaults {
            size: DefaultSize::ShortestEdge(384),
            default_to_square: false,
            resizing: Resizing::ConvNext,
            crop_pct: Some(224.0 / 256.0),
            ..SQUARE
        },
    ),
    Class {
        name: "DINOv3ViTImageProcessor",
        slow: None,
        fast: fast(Defaults { normal: Some(IMAGENET), extra: Extra::RescaleFirst, ..SQUARE }),
    },
    both("DeiTImageProcessor", BEIT),
    both(
        "EfficientNetImageProcessor",
        Defaults {
            size: DefaultSize::Square(346),
            resample: Filter::Nearest,
            crop_size: Some(289),
            extra: Extra::EfficientNet,
            ..SQUARE
        },
    ),
    both("LevitImageProcessor", Defaults { resizing: Resizing::Levit, normal: Some(IMAGENET), ..EDGE }),
    both("MobileNetV1ImageProcessor", MOBILENET),
    both("MobileNetV2ImageProcessor", MOBILENET),
    both(
        "MobileViTImageProcessor",
        Defaults {
            resample: Filter::Bilinear,
            crop_size: Some(256),
            normal: None,
            extra: Extra::MobileVit,
            ..EDGE
        },
    ),
    both(
        "PoolFormerImageProcessor",
        Defaults { resizing: Resizing::PoolFormer, normal: Some(IMAGENET), crop_pct: Some(0.9), ..EDGE },
    ),
    both("PvtImageProcessor", Defaults { normal: Some(IMAGENET), ..SQUARE }),
    both(
        "SegformerImageProcessor",
        Defaults {
            size: DefaultSize::Square(512),
            normal: Some(IMAGENET),
            extra: Extra::NeverCrops,
            ..SQUARE
        },
    ),
    both("SiglipImageProcessor", Defaults { default_to_square: false, resample: Filter::Bicubic, ..SQUARE }),
    both("ViTImageProcessor", SQUARE),
];

/// Models whose config has no name of a processor, and the class that they take.
const OF_MODELS: &[(&str, &str)] = &[
    ("align", "EfficientNetImageProcessor"),
    ("beit", "BeitImageProcessor"),
    ("bit", "BitImageProcessor"),
    ("blip", "BlipImageProcessor"),
    ("chinese_clip", "ChineseCLIPImageProcessor"),
    ("clip", "CLIPImageProcessor"),
    ("convnext", "ConvNextImageProcessor"),
    ("convnextv2", "ConvNextImageProcessor"),
    ("deit", "DeiTImageProcessor"),
    ("dinov2", "BitImageProcessor"),
    ("dinov3_vit", "DINOv3ViTImageProcessorFast"),
    ("efficientnet", "EfficientNetImageProcessor"),
    ("levit", "LevitImageProcessor"),
    ("mobilenet_v1", "MobileNetV1ImageProcessor"),
    ("mobilenet_v2", "MobileNetV2ImageProcessor"),
    ("mobilevit", "MobileViTImageProcessor"),
    ("mobilevitv2", "MobileViTImageProcessor"),
    ("poolformer", "PoolFormerImageProcessor"),
    ("pvt", "PvtImageProcessor"),
    ("regnet", "ConvNextImageProcessor"),
    ("resnet", "ConvNextImageProcessor"),
    ("segformer", "SegformerImageProcessor"),
    ("siglip", "SiglipImageProcessor"),
    ("swin", "ViTImageProcessor"),
    ("swinv2", "ViTImageProcessor"),
    ("upernet", "SegformerImageProcessor"),
    ("vit", "ViTImageProcessor"),
    ("vit_mae", "ViTImageProcessor"),
    ("vit_msn", "ViTImageProcessor"),
];

/// The class of a name, and whether the fast one is meant.
pub(super) fn find(name: &str) -> Option<(&'static Class, bool)> {
    let slow_name = name.strip_suffix("Fast").unwrap_or(name);
    let class = CLASSES.iter().find(|class| class.name == slow_name)?;
    Some((class, slow_name != name || class.slow.is_none()))
}

/// The name of the class for a `model_type`.
pub(super) fn of_model(model_type: &str) -> Option<&'static str> {
    OF_MODELS.iter().find(|(of, _)| *of == model_type).map(|(_, name)| *name)
}

/// The names that are known.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|class| class.name)
}

const fn both(name: &'static str, defaults: Defaults) -> Class {
    Class { name, slow: Some(defaults), fast: fast(defaults) }
}

/// Fast classes read every form of `size`, unless they resize in a way of their own.
const fn fast(defaults: Defaults) -> Defaults {
    let resizing = match defaults.resizing {
        Resizing::Square | Resizing::Edge => Resizing::Any,
        other => other,
    };
    Defaults { resizing, ..defaults }
}
