//! `strftime_now`: the date and time in the words that a template asks for.

use burnpipe_core::{ErrorContext, ErrorKind, Result};
use jiff::civil::DateTime;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};

/// What a clock on the wall shows.
///
/// ```
/// use burnpipe_text::LocalTime;
///
/// let time = LocalTime::new(2024, 7, 26, 9, 30, 0, 0)?;
/// assert_eq!(time.strftime("%d %b %Y"), "26 Jul 2024");
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(DateTime);

impl LocalTime {
    /// A date and a time of day, with its millionths of a second.
    ///
    /// # Errors
    ///
    /// With [`ErrorKind::Parameter`] when there is no such date or time.
    pub fn new(
        year: i16,
        month: i8,
        day: i8,
        hour: i8,
        minute: i8,
        second: i8,
        microsecond: i32,
    ) -> Result<Self> {
        let nanosecond = microsecond.saturating_mul(1000);
        let time = DateTime::new(year, month, day, hour, minute, second, nanosecond);
        let time = time.context(ErrorKind::Parameter, || "no such date and time")?;
        Ok(Self(time))
    }

    /// The time now, where this computer is.
    pub fn now() -> Self {
        Self(jiff::ZonedDateTime::now().datetime())
    }

    /// Python's `datetime.strftime`, in English.
    pub fn strftime(&self, format: &str) -> String {
        let config = Config::new().custom(PosixCustom::new()).lenient(true);
        let format = self.python_fields(format);
        let text = BrokenDownTime::from(self.0).to_string_with_config(&config, &format);
        // Lenient formatting has nothing to fail at.
        text.unwrap_or(format)
    }

    /// Python fills three fields in before the C library sees the rest: a time without a zone has none to print.
    fn python_fields(&self, format: &str) -> String {
        let mut filled = String::with_capacity(format.len());
        let mut rest = format.chars();
        while let Some(character) = rest.next() {
            match (character, if character == '%' { rest.next() } else { None }) {
                ('%', Some('f')) => filled.push_str(&format!("{:06}", self.0.subsec_nanosecond() / 1000)),
                ('%', Some('z' | 'Z')) => {}
                (_, field) => {
                    filled.push(character);
                    filled.extend(field);
                }
            }
        }
        filled
    }
}
