//! The colours.

use anstyle::{AnsiColor, Style};

/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What matters less.
pub(crate) const PALE: Style = Style::new().dimmed();
/// What is there.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// What is missing.
pub(crate) const MISSING: Style = AnsiColor::Yellow.on_default();
/// Bars.
pub(super) const BAR: Style = AnsiColor::Cyan.on_default();

/// Colours for labels, far apart from each other on dark and on light terminals.
const LABELS: [AnsiColor; 6] = [
    AnsiColor::Green,
    AnsiColor::Blue,
    AnsiColor::Magenta,
    AnsiColor::Yellow,
    AnsiColor::Cyan,
    AnsiColor::Red,
];

/// The colour of the label that was the n-th to appear.
pub(super) fn label(nth: usize) -> Style {
    LABELS[nth % LABELS.len()].on_default()
}
