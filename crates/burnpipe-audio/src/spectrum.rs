//! Spectra of the frames of a sound: windowed real Fourier transforms of any size, in f64 as numpy's are.

use std::f64::consts::TAU;
use std::fmt;
use std::sync::Arc;

use burnpipe_core::{ErrorContext, ErrorKind, Result};
use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Takes the power of each frequency of a frame.
#[derive(Clone)]
pub(crate) struct PowerSpectrum {
    transform: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
}

/// What one thread needs to take spectra.
pub(crate) struct Workspace {
    /// The samples of the frame; the spectrum overwrites them.
    pub(crate) frame: Vec<f64>,
    /// The power of each frequency.
    pub(crate) power: Vec<f64>,
    buffer: Vec<f64>,
    spectrum: Vec<Complex<f64>>,
    scratch: Vec<Complex<f64>>,
}

impl PowerSpectrum {
    /// Spectra by a transform of `fft_length` points, at least as many as the window has.
    pub(crate) fn new(window: Vec<f64>, fft_length: usize) -> Self {
        let transform = RealFftPlanner::new().plan_fft_forward(fft_length.max(window.len()));
        Self { transform, window }
    }

    /// Frequencies of a spectrum.
    pub(crate) fn frequency_bins(&self) -> usize {
        self.transform.len() / 2 + 1
    }

    /// What [`take`](Self::take) works in.
    pub(crate) fn workspace(&self) -> Workspace {
        Workspace {
            frame: vec![0.0; self.window.len()],
            power: vec![0.0; self.frequency_bins()],
            buffer: self.transform.make_input_vec(),
            spectrum: self.transform.make_output_vec(),
            scratch: self.transform.make_scratch_vec(),
        }
    }

    /// Fills `workspace.power` from `workspace.frame`.
    ///
    /// # Errors
    ///
    /// When the workspace is another spectrum's.
    pub(crate) fn take(&self, workspace: &mut Workspace) -> Result<()> {
        let Workspace { frame, power, buffer, spectrum, scratch } = workspace;
        // Padding is often most of what Whisper hears.
        if frame.iter().all(|&sample| sample == 0.0) {
            power.fill(0.0);
            return Ok(());
        }
        let length = self.window.len().min(buffer.len());
        let (windowed, padding) = buffer.split_at_mut(length);
        for ((value, sample), weight) in windowed.iter_mut().zip(frame.iter()).zip(&self.window) {
            *value = sample * weight;
        }
        padding.fill(0.0);
        self.transform
            .process_with_scratch(buffer, spectrum, scratch)
            .context(ErrorKind::Internal, || "the buffers of a Fourier transform do not fit")?;
        for (power, value) in power.iter_mut().zip(spectrum.iter()) {
            *power = value.norm_sqr();
        }
        Ok(())
    }
}

impl fmt::Debug for PowerSpectrum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PowerSpectrum")
            .field("window", &self.window.len())
            .field("fft_length", &self.transform.len())
            .finish()
    }
}

/// Hann's window, which meets zero at both ends or, when periodic, one sample after its end.
pub(crate) fn hann_window(length: usize, periodic: bool) -> Vec<f64> {
    let period = if periodic { length } else { length.saturating_sub(1) }.max(1);
    (0..length).map(|index| 0.5 - 0.5 * (TAU * index as f64 / period as f64).cos()).collect()
}
