//! Tables and questions to token ids: Python's `TapasTokenizer`, which knows no tokenizer.json.
//!
//! A question and a table become one row of tokens: `[CLS] question [SEP] headers cells..`. Besides its id every
//! token has seven numbers, which say where in the table it stands and what is known of the number in its cell.
//!
//! Reference: `tokenization_tapas.py` of transformers 4.56.2.

mod dates;
mod numbers;
mod ranks;
mod words;

use std::fmt;

use burnpipe_core::{Error, ErrorContext, ErrorKind, ModelFiles, Result};
use tokenizers::utils::SysRegex;

use crate::added_token::SpecialToken;
use crate::files;
use crate::settings::Settings;
use crate::{Padding, Side};
use numbers::NumberFinder;
use ranks::Column;
use words::{Piece, WordTokenizer};

/// The class that the files must be of.
const CLASS: &str = "TapasTokenizer";

/// The most tokens of a row when the files do not say.
const DEFAULT_MAX_LENGTH: usize = 512;

const SPECIAL_TOKENS: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// A table of texts: columns with names, and rows with a cell per column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns and rows.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Input`] when a row has more or fewer cells than there are columns.
    pub fn new(columns: Vec<String>, rows: Vec<Vec<String>>) -> Result<Self> {
        if let Some((at, row)) = rows.iter().enumerate().find(|(_, row)| row.len() != columns.len()) {
            let (cells, columns) = (row.len(), columns.len());
            let message = format!("row {at} of the table has {cells} cells, and there are {columns} columns");
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(Self { columns, rows })
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The cells, row after row.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty() || self.rows.is_empty()
    }
}

/// How to encode a table and questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Leave out what is longer than the model's maximum: first the ends of long cells, then the last rows.
    pub drop_rows_to_fit: bool,
    /// Whether and how far to pad; the longest is that of the questions given together.
    pub padding: Padding,
}

/// One question about a table; all lists have the same length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableEncoding {
    /// The id of each token.
    pub ids: Vec<u32>,
    /// Of each token: 1 in the table; its column and row, from 1; whether the answer before had it (here 0); the
    /// rank of its cell's number in the column and from the other end, from 1; how the cell's number stands to
    /// those of the question. 0 where there is no such thing.
    pub type_ids: Vec<[u32; 7]>,
    /// 1 for tokens to attend to, 0 for padding.
    pub attention_mask: Vec<u32>,
}

/// The tokenizer of a checkpoint that reads tables.
///
/// ```no_run
/// # fn example(files: &dyn burnpipe_core::ModelFiles) -> burnpipe_core::Result<()> {
/// use burnpipe_text::{Table, TableOptions, TableTokenizer};
///
/// let tokenizer = TableTokenizer::load(files)?;
/// let table = Table::new(vec!["age".into()], vec![vec!["56".into()], vec!["45".into()]])?;
/// let rows = tokenizer.encode(&table, &["who is older than 50?".into()], TableOptions::default())?;
/// # Ok(())
/// # }
/// ```
pub struct TableTokenizer {
    words: WordTokenizer,
    numbers: NumberFinder,
    cls: u32,
    sep: u32,
    pad: u32,
    model_max_length: Option<usize>,
    padding_side: Side,
    /// The most tokens of a cell; a cell is cut where it must be when this is not given.
    cell_trim_length: Option<usize>,
    max_column_id: Option<usize>,
    max_row_id: Option<usize>,
    strip_column_names: bool,
    min_question_length: Option<usize>,
    max_question_length: Option<usize>,
}

impl TableTokenizer {
    /// Loads a checkpoint's tokenizer from `vocab.txt` and the small files beside it.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::MissingFile`] when there is no `vocab.txt`, [`ErrorKind::Tokenizer`] when a file is
    /// broken, and [`ErrorKind::Unsupported`] when the files are of another class.
    pub fn load(model: &dyn ModelFiles) -> Result<Self> {
        let config =
            files::read_object(model, files::TOKENIZER_CONFIG, ErrorKind::Tokenizer)?.unwrap_or_default();
        let model_config = files::read_object(model, "config.json", ErrorKind::Config)?.unwrap_or_default();
        let class =
            [&config, &model_config].into_iter().find_map(|file| file.get("tokenizer_class")?.as_str());
        if let Some(class) = class.filter(|class| class.strip_suffix("Fast").unwrap_or(class) != CLASS) {
            let message =
                format!("tokenizer class `{class}` is not supported: tables are read by `{CLASS}` only");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let says_length = config.contains_key("model_max_length");
        let mut settings = Settings::read(model, config, &[])?;
        for (name, token) in SPECIAL_TOKENS {
            settings.special.set_default(name, SpecialToken::Text(token.to_owned()));
        }
        let empty_token = settings.text("empty_token")?.unwrap_or("[EMPTY]").to_owned();
        let additional = settings.special.additional.get_or_insert_default();
        if additional.iter().all(|token| token.content() != empty_token) {
            additional.push(SpecialToken::Text(empty_token));
        }
        // Python takes the first one, whatever `empty_token` says.
        let empty_token = additional.first().map(|token| token.content().to_owned()).unwrap_or_default();
        let words = WordTokenizer::load(model, &settings, &empty_token)?;
        let limit = if says_length { settings.model_max_length()? } else { Some(DEFAULT_MAX_LENGTH) };
        Ok(Self {
            numbers: NumberFinder::new()?,
            cls: words.special_id(&settings, "cls_token")?,
            sep: words.special_id(&settings, "sep_token")?,
            pad: words.special_id(&settings, "pad_token")?,
            words,
            model_max_length: limit,
            padding_side: settings.side("padding_side")?.unwrap_or_default(),
            cell_trim_length: count(&settings, "cell_trim_length")?,
            max_column_id: count(&settings, "max_column_id")?.or(limit),
            max_row_id: count(&settings, "max_row_id")?.or(limit),
            strip_column_names: settings.flag("strip_column_names")?.unwrap_or(false),
            min_question_length: count(&settings, "min_question_length")?,
            max_question_length: count(&settings, "max_question_length")?,
        })
    }

    /// The id of the padding token.
    pub fn pad_token_id(&self) -> u32 {
        self.pad
    }

    /// Encodes questions about one table, each in a row of its own.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Input`] when the table has too many columns, or too many rows of which none may be
    /// left out.
    pub fn encode(
        &self,
        table: &Table,
        questions: &[String],
        options: TableOptions,
    ) -> Result<Vec<TableEncoding>> {
        self.check_size(table, options)?;
        let cells = self.cells(table)?;
        let beginnings: Vec<Vec<usize>> = cells.iter().map(|row| beginnings_of(row)).collect();
        let columns = self.columns(table);
        let ranks: Vec<Vec<[u32; 2]>> = columns.iter().map(Column::ranks).collect();
        let mut rows = Vec::with_capacity(questions.len());
        for question in questions {
            let (question, pieces) = self.question(question)?;
            let asked = self.numbers.values(question);
            let relations: Vec<Vec<u32>> = columns.iter().map(|column| column.relations(&asked)).collect();
            let numbers = |row: usize, column: usize| {
                let rank = ranks.get(column).and_then(|ranks| ranks.get(row)).copied().unwrap_or_default();
                let relation = relations.get(column).and_then(|relations| relations.get(row)).copied();
                [rank[0], rank[1], relation.unwrap_or_default()]
            };
            let kept = self.kept(&beginnings, pieces.len(), options);
            rows.push(self.row(&pieces, &cells, kept, numbers));
        }
        self.pad(&mut rows, options.padding);
        Ok(rows)
    }

    fn check_size(&self, table: &Table, options: TableOptions) -> Result<()> {
        let (columns, rows) = (table.columns.len(), table.rows.len());
        let (what, count, limit) = match (self.max_column_id, self.max_row_id) {
            (Some(limit), _) if columns >= limit => ("columns", columns, limit),
            (_, Some(limit)) if rows >= limit && !options.drop_rows_to_fit => ("rows", rows, limit),
            _ => return Ok(()),
        };
        let message = format!("the table has {count} {what} and the tokenizer takes less than {limit}");
        Err(Error::new(ErrorKind::Input, message))
    }

    /// The tokens of the headers, and then of every row's cells.
    fn cells(&self, table: &Table) -> Result<Vec<Vec<Vec<Piece>>>> {
        let header = |name: &String| {
            let name = if self.strip_column_names { "" } else { name };
            self.words.tokenize(name)
        };
        let mut cells = vec![table.columns.iter().map(header).collect::<Result<_>>()?];
        for row in &table.rows {
            cells.push(row.iter().map(|cell| self.words.tokenize(cell)).collect::<Result<_>>()?);
        }
        Ok(cells)
    }

    /// The numbers or dates of every column.
    fn columns(&self, table: &Table) -> Vec<Column> {
        let column = |at: usize| {
            let cells = table.rows.iter().filter_map(|row| row.get(at));
            Column::new(&cells.map(|cell| self.numbers.values(cell)).collect::<Vec<_>>())
        };
        (0..table.columns.len()).map(column).collect()
    }

    /// A question and its tokens; one that is too long or too short is left out, as in Python.
    fn question<'a>(&self, question: &'a str) -> Result<(&'a str, Vec<Piece>)> {
        let pieces = self.words.tokenize(question)?;
        let too_long = self.max_question_length.is_some_and(|most| pieces.len() > most);
        let too_short = self.min_question_length.is_some_and(|least| pieces.len() < least);
        Ok(if too_long || too_short { ("", Vec::new()) } else { (question, pieces) })
    }

    /// How much of the table stays beside a question of so many tokens; `beginnings` says of every row, the
    /// headers first, how many tokens there are of words that begin at each place of a cell.
    fn kept(&self, beginnings: &[Vec<usize>], question: usize, options: TableOptions) -> Kept {
        let longest = beginnings.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows = beginnings.len().saturating_sub(1);
        if !options.drop_rows_to_fit {
            return Kept { rows, tokens: longest };
        }
        rows = self.max_row_id.map_or(rows, |limit| rows.min(limit.saturating_sub(1)));
        // Two are for the special tokens. With no maximum everything fits.
        let budget = self.model_max_length.map_or(Some(usize::MAX), |most| most.checked_sub(question + 2));
        let most = self.cell_trim_length.map_or(longest, |most| most.min(longest));
        let mut sums = vec![0; longest];
        for row in beginnings.iter().take(rows + 1) {
            sums.iter_mut().zip(row).for_each(|(sum, tokens)| *sum += tokens);
        }
        loop {
            let tokens = fitting(&sums, budget, most);
            // Cells are cut as far as they must, but not where the files say how far.
            if tokens >= most || (tokens > 0 && self.cell_trim_length.is_none()) {
                return Kept { rows, tokens: tokens.max(1) };
            }
            let dropped = beginnings.get(rows).map_or([].as_slice(), Vec::as_slice);
            sums.iter_mut().zip(dropped).for_each(|(sum, tokens)| *sum -= tokens);
            rows = rows.saturating_sub(1);
            if rows == 0 {
                return Kept { rows, tokens: 1 };
            }
        }
    }

    /// The row of a question and what is kept of the table; `numbers` are the last three types of a cell.
    fn row(
        &self,
        question: &[Piece],
        cells: &[Vec<Vec<Piece>>],
        kept: Kept,
        numbers: impl Fn(usize, usize) -> [u32; 3],
    ) -> TableEncoding {
        let mut ids: Vec<u32> = vec![self.cls];
        ids.extend(question.iter().map(|piece| piece.id));
        ids.push(self.sep);
        let mut type_ids = vec![[0; 7]; ids.len()];
        for (at_row, row) in cells.iter().enumerate().take(kept.rows + 1) {
            for (at_column, cell) in row.iter().enumerate() {
                let numbers = match at_row.checked_sub(1) {
                    Some(row) => numbers(row, at_column),
                    None => [0; 3],
                };
                let types = [1, at_column as u32 + 1, at_row as u32, 0, numbers[0], numbers[1], numbers[2]];
                for (piece, _) in cell.iter().zip(word_beginnings(cell)).filter(|(_, at)| *at < kept.tokens) {
                    ids.push(piece.id);
                    type_ids.push(types);
                }
            }
        }
        TableEncoding { attention_mask: vec![1; ids.len()], ids, type_ids }
    }

    fn pad(&self, rows: &mut [TableEncoding], padding: Padding) {
        let length = match padding {
            Padding::DoNotPad => None,
            Padding::Longest => rows.iter().map(|row| row.ids.len()).max(),
            Padding::MaxLength => self.model_max_length,
        };
        for row in rows {
            let missing = length.unwrap_or(0).saturating_sub(row.ids.len());
            let at = if self.padding_side == Side::Left { 0 } else { row.ids.len() };
            row.ids.splice(at..at, vec![self.pad; missing]);
            row.type_ids.splice(at..at, vec![[0; 7]; missing]);
            row.attention_mask.splice(at..at, vec![0; missing]);
        }
    }
}

impl fmt::Debug for TableTokenizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TableTokenizer")
            .field("model_max_length", &self.model_max_length)
            .field("cell_trim_length", &self.cell_trim_length)
            .finish_non_exhaustive()
    }
}

/// How much of a table is kept: rows, and of each cell the words that begin in its first so many tokens.
#[derive(Clone, Copy, Debug)]
struct Kept {
    rows: usize,
    tokens: usize,
}

/// Where the word of each token begins.
fn word_beginnings(cell: &[Piece]) -> impl Iterator<Item = usize> {
    cell.iter().enumerate().scan(0, |beginning, (at, piece)| {
        if !piece.is_inner {
            *beginning = at;
        }
        Some(*beginning)
    })
}

/// How many tokens of a row's cells are of words that begin at each place.
fn beginnings_of(row: &[Vec<Piece>]) -> Vec<usize> {
    let mut beginnings = vec![0; row.iter().map(Vec::len).max().unwrap_or(0)];
    for at in row.iter().flat_map(|cell| word_beginnings(cell)) {
        beginnings[at] += 1;
    }
    beginnings
}

/// How many tokens of each cell fit into the budget, and not more than `most`.
fn fitting(beginnings: &[usize], budget: Option<usize>, most: usize) -> usize {
    let Some(budget) = budget else { return 0 };
    let sums = beginnings.iter().scan(0, |sum: &mut usize, tokens| {
        *sum += tokens;
        Some(*sum)
    });
    sums.take(most).take_while(|sum| *sum <= budget).count()
}

/// A number of tokenizer_config.json that is not negative: Python's -1 stands for none.
fn count(settings: &Settings, name: &str) -> Result<Option<usize>> {
    Ok(settings.whole_number(name)?.and_then(|number| usize::try_from(number).ok()))
}

fn regex(pattern: &str) -> Result<SysRegex> {
    SysRegex::new(pattern).context(ErrorKind::Internal, || format!("`{pattern}` cannot be used"))
}

/// Whether a character is of a class.
fn is(class: &SysRegex, c: char) -> bool {
    class.find_iter(c.encode_utf8(&mut [0; 4])).next().is_some()
}
