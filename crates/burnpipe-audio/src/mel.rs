//! Banks of triangular filters on a mel scale, as `mel_filter_bank` of transformers' `audio_utils.py` makes them.

/// How frequencies become mels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MelScale {
    /// Linear below 1000 Hz, logarithmic above: Slaney's Auditory Toolbox and librosa, Whisper's.
    Slaney,
    /// `1127 ln(1 + f / 700)`.
    Kaldi,
}

impl MelScale {
    /// The mels of a frequency in hertz.
    pub(crate) fn mels(self, hertz: f64) -> f64 {
        match self {
            Self::Kaldi => 1127.0 * (1.0 + hertz / 700.0).ln(),
            Self::Slaney if hertz >= 1000.0 => 15.0 + (hertz / 1000.0).ln() * (27.0 / 6.4_f64.ln()),
            Self::Slaney => 3.0 * hertz / 200.0,
        }
    }

    /// The frequency in hertz of so many mels.
    pub(crate) fn hertz(self, mels: f64) -> f64 {
        match self {
            Self::Kaldi => 700.0 * ((mels / 1127.0).exp() - 1.0),
            Self::Slaney if mels >= 15.0 => 1000.0 * ((6.4_f64.ln() / 27.0) * (mels - 15.0)).exp(),
            Self::Slaney => 200.0 * mels / 3.0,
        }
    }
}

/// What a [`MelBank`] is made of: the arguments of `mel_filter_bank`.
#[derive(Clone, Debug)]
pub(crate) struct MelBankConfig {
    /// Frequencies of a spectrum, from 0 to half the sampling rate: half the size of the transform, and one.
    pub(crate) num_frequency_bins: usize,
    /// How many filters.
    pub(crate) num_mel_filters: usize,
    /// Where the first filter begins, in hertz.
    pub(crate) min_frequency: f64,
    /// Where the last filter ends, in hertz.
    pub(crate) max_frequency: f64,
    /// Samples in a second.
    pub(crate) sampling_rate: u32,
    /// Whether each filter is divided by its width (`norm="slaney"`).
    pub(crate) slaney_norm: bool,
    /// The scale on which the filters stand at equal distances.
    pub(crate) mel_scale: MelScale,
    /// Whether the sides of the triangles are straight in mels, as Kaldi's are, and not in hertz.
    pub(crate) triangularize_in_mel_space: bool,
}

/// A bank of triangular filters, which turns a spectrum into bands.
#[derive(Clone, Debug)]
pub(crate) struct MelBank {
    filters: Vec<Filter>,
}

/// The weights of one filter where they are not zero.
#[derive(Clone, Debug)]
struct Filter {
    first_bin: usize,
    weights: Vec<f64>,
}

impl MelBank {
    /// The filters of a configuration. A filter narrower than the distance of two frequencies may be empty, as in
    /// Python, which warns about it.
    pub(crate) fn new(config: &MelBankConfig) -> Self {
        let scale = config.mel_scale;
        let corners_in_mels = evenly_spaced(
            scale.mels(config.min_frequency),
            scale.mels(config.max_frequency),
            config.num_mel_filters + 2,
        );
        let corners_in_hertz: Vec<f64> = corners_in_mels.iter().map(|&mels| scale.hertz(mels)).collect();
        let bins_in_hertz =
            evenly_spaced(0.0, f64::from(config.sampling_rate / 2), config.num_frequency_bins.max(1));
        let filters = if config.triangularize_in_mel_space {
            let bin_width =
                f64::from(config.sampling_rate) / (config.num_frequency_bins.saturating_sub(1) * 2) as f64;
            let bins_in_mels: Vec<f64> =
                (0..config.num_frequency_bins).map(|bin| scale.mels(bin_width * bin as f64)).collect();
            corners_in_mels.windows(3).map(|corners| Filter::triangle(&bins_in_mels, corners)).collect()
        } else {
            corners_in_hertz.windows(3).map(|corners| Filter::triangle(&bins_in_hertz, corners)).collect()
        };
        let mut bank = Self { filters };
        if config.slaney_norm {
            let widths = if config.triangularize_in_mel_space { &corners_in_mels } else { &corners_in_hertz };
            for (filter, corners) in bank.filters.iter_mut().zip(widths.windows(3)) {
                let area = 2.0 / (corners[2] - corners[0]);
                filter.weights.iter_mut().for_each(|weight| *weight *= area);
            }
        }
        bank
    }

    /// The same bank with weights that f32 can hold, where the reference multiplies in f32.
    pub(crate) fn rounded_to_f32(mut self) -> Self {
        for weight in self.filters.iter_mut().flat_map(|filter| &mut filter.weights) {
            *weight = f64::from(*weight as f32);
        }
        self
    }

    /// How many filters there are.
    pub(crate) fn len(&self) -> usize {
        self.filters.len()
    }

    /// The bands of a spectrum of `num_frequency_bins` values, low to high.
    pub(crate) fn bands<'a>(&'a self, spectrum: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.filters.iter().map(|filter| {
            let bins = spectrum.get(filter.first_bin..).unwrap_or_default();
            filter.weights.iter().zip(bins).map(|(weight, bin)| weight * bin).sum()
        })
    }
}

impl Filter {
    /// A triangle over positions in ascending order; `corners` are its beginning, its top and its end.
    fn triangle(positions: &[f64], corners: &[f64]) -> Self {
        let [begin, top, end] = corners else {
            return Self { first_bin: 0, weights: Vec::new() };
        };
        let weight = |position: f64| {
            let rising = (position - begin) / (top - begin);
            let falling = (end - position) / (end - top);
            rising.min(falling).max(0.0)
        };
        let first_bin = positions.iter().position(|&position| weight(position) > 0.0).unwrap_or(0);
        let weights = positions[first_bin..]
            .iter()
            .map(|&position| weight(position))
            .take_while(|&weight| weight > 0.0)
            .collect();
        Self { first_bin, weights }
    }
}

/// `count` numbers from `first` to `last`, as `np.linspace` rounds them.
fn evenly_spaced(first: f64, last: f64, count: usize) -> Vec<f64> {
    let step = (last - first) / count.saturating_sub(1) as f64;
    (0..count).map(|index| if index + 1 == count { last } else { index as f64 * step + first }).collect()
}
