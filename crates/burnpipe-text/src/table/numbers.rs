//! Numbers and dates in texts, as TAPAS finds them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use burnpipe_core::Result;
use tokenizers::utils::SysRegex;

use super::dates::{self, Date};
use super::words::is_space;

/// A number or a date.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Date(Date),
}

const NUMBER_WORDS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];
const ORDINAL_WORDS: [&str; 13] = [
    "zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
];
const ORDINAL_SUFFIXES: [&str; 4] = ["st", "nd", "rd", "th"];

/// The longest row of decimal digits in Unicode: five alphabets of mathematical ones.
const LONGEST_DIGIT_RUN: u32 = 50;

/// Finds numbers and dates.
#[derive(Debug)]
pub(super) struct NumberFinder {
    number: SysRegex,
    word: SysRegex,
    digit: SysRegex,
}

impl NumberFinder {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            number: super::regex(r"(?:(?:^|\s)[+-])?(?:\.\d+|\d+(?:,\d\d\d)*(?:\.\d*)?)")?,
            word: super::regex(r"[\p{L}\p{N}]+")?,
            digit: super::regex(r"\d")?,
        })
    }

    /// The values of a text, of the longest spans that are numbers or dates; a span may be both.
    pub(super) fn values(&self, text: &str) -> Vec<Value> {
        let text = text.to_lowercase();
        let words = text.split(is_space).filter(|word| !word.is_empty());
        let text = words.collect::<Vec<_>>().join(" ");
        let mut spans = self.spans(&text).into_iter().collect::<Vec<_>>();
        // Longest first, as Python counts; of the same length the first one first.
        spans.sort_by_key(|((start, end), _)| {
            let length = text.get(*start..*end).unwrap_or_default().chars().count();
            (Reverse(length), *start)
        });
        let mut selected: BTreeMap<usize, (usize, Vec<Value>)> = BTreeMap::new();
        for ((start, end), values) in spans {
            // Selected spans lie in no other, so that of those which begin no later, the last ends last.
            let outer = selected.range(..=start).next_back().map(|(_, (end, _))| *end);
            if outer.is_none_or(|outer| outer < end) {
                selected.insert(start, (end, values));
            }
        }
        selected.into_values().flat_map(|(_, values)| values).collect()
    }

    /// Every span, in bytes, that is a number or a date.
    fn spans(&self, text: &str) -> BTreeMap<(usize, usize), Vec<Value>> {
        let mut spans: BTreeMap<(usize, usize), Vec<Value>> = BTreeMap::new();
        let part = |start: usize, end: usize| text.get(start..end).unwrap_or_default();
        for (start, end) in self.number.find_iter(text) {
            if let Some(number) = self.parse_number(part(start, end)) {
                spans.insert((start, end), vec![Value::Number(number)]);
            }
        }
        let words: Vec<(usize, usize)> = self.word.find_iter(text).collect();
        for &(start, end) in &words {
            let word = part(start, end);
            let numbers = self.parse_number(word).into_iter().chain(number_of_word(word));
            let numbers: Vec<Value> = numbers.map(Value::Number).collect();
            if !numbers.is_empty() {
                spans.entry((start, end)).or_insert(numbers);
            }
        }
        for (last, &(_, end)) in words.iter().enumerate() {
            let first = (last + 1).saturating_sub(dates::LONGEST);
            for &(start, _) in words.get(first..=last).unwrap_or_default() {
                if let Some(date) = dates::parse(part(start, end), &|c| self.digit(c)) {
                    spans.entry((start, end)).or_default().push(Value::Date(date));
                }
            }
        }
        spans
    }

    /// A cardinal or ordinal number in digits, as Python's `float` reads it.
    fn parse_number(&self, text: &str) -> Option<f64> {
        let suffix = ORDINAL_SUFFIXES.iter().find_map(|suffix| text.strip_suffix(suffix));
        let digits = suffix.unwrap_or(text).trim().chars().filter(|c| *c != ',');
        let ascii = |c: char| self.digit(c).and_then(|digit| char::from_digit(digit, 10)).unwrap_or(c);
        let number: f64 = digits.map(ascii).collect::<String>().parse().ok()?;
        (!number.is_nan() && number != f64::INFINITY).then_some(number)
    }

    /// The value of a decimal digit of any script: the digits of each lie in a row from 0 to 9.
    fn digit(&self, c: char) -> Option<u32> {
        if c.is_ascii() {
            return c.to_digit(10);
        }
        let is_digit = |c: char| super::is(&self.digit, c);
        let before = |distance: &u32| char::from_u32(u32::from(c).saturating_sub(*distance));
        let zeros = || (1..LONGEST_DIGIT_RUN).take_while(|distance| before(distance).is_some_and(is_digit));
        is_digit(c).then(|| zeros().last().unwrap_or(0) % 10)
    }
}

fn number_of_word(word: &str) -> Option<f64> {
    let place = |words: &[&str]| words.iter().position(|known| *known == word);
    place(&NUMBER_WORDS).or_else(|| place(&ORDINAL_WORDS)).map(|number| number as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python finds: [text, [[value, ..] of a span, ..]].
    const NUMBERS: &str = include_str!("../../tests/tables/numbers.json");

    #[test]
    fn numbers_and_dates_are_those_that_python_finds() {
        let finder = NumberFinder::new().unwrap();
        let cases: Vec<(String, Vec<Vec<serde_json::Value>>)> = serde_json::from_str(NUMBERS).unwrap();
        assert!(cases.len() > 400);
        for (text, expected) in cases {
            let values = finder.values(&text);
            let written: Vec<String> = values.iter().map(written).collect();
            let expected: Vec<String> = expected.concat().iter().map(expected_value).collect();
            assert_eq!(written, expected, "{text:?}");
        }
    }

    fn written(value: &Value) -> String {
        match value {
            Value::Number(number) => format!("{number:?}"),
            Value::Date(date) => format!("{:?}", [date.year, date.month, date.day]),
        }
    }

    fn expected_value(value: &serde_json::Value) -> String {
        match value.as_str() {
            Some(number) => format!("{:?}", number.parse::<f64>().unwrap()),
            None => {
                format!("{:?}", serde_json::from_value::<[Option<u32>; 3]>(value.clone()).unwrap())
            }
        }
    }
}
