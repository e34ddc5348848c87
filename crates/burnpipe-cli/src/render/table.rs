//! Plain tables: columns, a bold header, no lines.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::style::BOLD;

/// How wide a table may be where nobody says.
const USUAL_WIDTH: u16 = 100;

/// The width of the terminal on standard output.
pub(crate) fn terminal_width() -> u16 {
    terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| width.0)
}

/// A table in the making.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    numbers: Vec<usize>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new(), numbers: Vec::new() }
    }

    /// Aligns these columns to the right.
    pub(crate) fn numbers(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.numbers = columns.into_iter().collect();
        self
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// The table as text, every line with its end; long cells are wrapped at `width`, if any.
    pub(crate) fn render(self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(&self.header).add_rows(self.rows);
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if self.numbers.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let body = table.trim_fmt();
        match body.split_once('\n') {
            Some((header, rows)) => format!("{BOLD}{header}{BOLD:#}\n{rows}\n"),
            None => format!("{BOLD}{body}{BOLD:#}\n"),
        }
    }
}
