//! Dates as TAPAS reads them: Python's `strptime` in English, with a fixed list of patterns.

/// A date; what its pattern does not say is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: Option<u32>,
    pub(super) month: Option<u32>,
    pub(super) day: Option<u32>,
}

/// Which of year, month and day a pattern sets.
type Mask = [bool; 3];

const YEAR: Mask = [true, false, false];
const YEAR_MONTH: Mask = [true, true, false];
const YEAR_MONTH_DAY: Mask = [true, true, true];
const MONTH: Mask = [false, true, false];
const MONTH_DAY: Mask = [false, true, true];

/// In the order in which they are tried. Texts have one space between words, so ` ` stands for Python's `\s+`.
const PATTERNS: [(&str, Mask); 19] = [
    ("%B", MONTH),
    ("%Y", YEAR),
    ("%Ys", YEAR),
    ("%b %Y", YEAR_MONTH),
    ("%B %Y", YEAR_MONTH),
    ("%B %d", MONTH_DAY),
    ("%b %d", MONTH_DAY),
    ("%d %b", MONTH_DAY),
    ("%d %B", MONTH_DAY),
    ("%B %d, %Y", YEAR_MONTH_DAY),
    ("%d %B %Y", YEAR_MONTH_DAY),
    ("%m-%d-%Y", YEAR_MONTH_DAY),
    ("%Y-%m-%d", YEAR_MONTH_DAY),
    ("%Y-%m", YEAR_MONTH),
    ("%d %b %Y", YEAR_MONTH_DAY),
    ("%b %d, %Y", YEAR_MONTH_DAY),
    ("%d.%m.%Y", YEAR_MONTH_DAY),
    ("%A, %b %d", MONTH_DAY),
    ("%A, %B %d", MONTH_DAY),
];

/// How many words the longest pattern has.
pub(super) const LONGEST: usize = 5;

/// The years that count; Microsoft's DynSP has them.
const YEARS: std::ops::RangeInclusive<u32> = 1700..=2016;

/// The year of a date without one. It is no leap year: 29 February needs its year.
const USUAL_YEAR: u32 = 1900;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The date that the whole of a lower-case text is; `digit` gives the value of a decimal digit of any script.
pub(super) fn parse(text: &str, digit: &impl Fn(char) -> Option<u32>) -> Option<Date> {
    PATTERNS.iter().find_map(|(pattern, mask)| {
        let [year, month, day] = read(text, pattern, digit)?;
        let exists = day <= days_of(year, month) && YEARS.contains(&year);
        let [with_year, with_month, with_day] = *mask;
        exists.then_some(Date {
            year: with_year.then_some(year),
            month: with_month.then_some(month),
            day: with_day.then_some(day),
        })
    })
}

/// Year, month and day of a text of this pattern.
fn read(text: &str, pattern: &str, digit: &impl Fn(char) -> Option<u32>) -> Option<[u32; 3]> {
    let (mut rest, mut symbols) = (text, pattern.chars());
    let [mut year, mut month, mut day] = [USUAL_YEAR, 1, 1];
    while let Some(symbol) = symbols.next() {
        if symbol != '%' {
            rest = rest.strip_prefix(symbol)?;
            continue;
        }
        match symbols.next()? {
            'A' => (_, rest) = name(rest, &WEEKDAYS, usize::MAX)?,
            'B' => (month, rest) = name(rest, &MONTHS, usize::MAX)?,
            'b' => (month, rest) = name(rest, &MONTHS, 3)?,
            'Y' => {
                let (digits, after) = digits(rest, 4, digit);
                (year, rest) = (value(&digits, 4, digit)?, after);
            }
            'm' => {
                let (digits, after) = digits(rest, 2, digit);
                let known = matches!(digits[..], ['1', '0'..='2'] | ['0', '1'..='9'] | ['1'..='9']);
                (month, rest) = (value(&digits, known.then_some(digits.len())?, digit)?, after);
            }
            _ => {
                let (digits, after) = digits(rest, 2, digit);
                // The second digit alone may be of another script.
                let known =
                    matches!(digits[..], ['3', '0' | '1'] | ['1' | '2', _] | ['0', '1'..='9'] | ['1'..='9']);
                (day, rest) = (value(&digits, known.then_some(digits.len())?, digit)?, after);
            }
        }
    }
    rest.is_empty().then_some([year, month, day])
}

/// The number, from 1, of the name that the text begins with, and what comes after it.
fn name<'a>(text: &'a str, names: &[&str], longest: usize) -> Option<(u32, &'a str)> {
    (1..).zip(names).find_map(|(number, name)| {
        let name = name.get(..longest).unwrap_or(name);
        Some((number, text.strip_prefix(name)?))
    })
}

/// Up to so many digits that the text begins with, and what comes after them.
fn digits<'a>(text: &'a str, longest: usize, digit: &impl Fn(char) -> Option<u32>) -> (Vec<char>, &'a str) {
    let digits: Vec<char> = text.chars().take_while(|c| digit(*c).is_some()).take(longest).collect();
    let bytes: usize = digits.iter().map(|digit| digit.len_utf8()).sum();
    (digits, text.get(bytes..).unwrap_or_default())
}

/// The number that exactly so many digits write.
fn value(digits: &[char], count: usize, digit: &impl Fn(char) -> Option<u32>) -> Option<u32> {
    let number = digits.iter().try_fold(0, |number, c| Some(number * 10 + digit(*c)?))?;
    (digits.len() == count).then_some(number)
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
