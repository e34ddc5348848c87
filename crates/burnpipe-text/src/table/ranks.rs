//! What TAPAS derives from the numbers of a table: their ranks in a column, and how they stand to those of a
//! question.

use std::cmp::Ordering;

use super::numbers::Value;

/// How many cells of a column must have numbers, or dates, for the column to count as one of numbers, or dates.
const MIN_FRACTION: f64 = 0.7;

/// The values of a column by its rows, all of one kind.
#[derive(Debug)]
pub(super) struct Column(Vec<Option<Value>>);

/// What the cells of a column are compared by: the numbers, or the fields that all their dates have.
#[derive(Debug)]
enum Comparable {
    Numbers,
    Dates([bool; 3]),
}

impl Column {
    /// Keeps of the values of each cell the first of the kind that most cells have.
    pub(super) fn new(cells: &[Vec<Value>]) -> Self {
        let having = |is: fn(&Value) -> bool| cells.iter().filter(|cell| cell.iter().any(is)).count();
        let (numbers, dates) = (having(is_number), having(is_date));
        let most = numbers.max(dates);
        if most == 0 || (most as f64) < cells.len() as f64 * MIN_FRACTION {
            return Self(vec![None; cells.len()]);
        }
        let kind = if dates == most { is_date } else { is_number };
        Self(cells.iter().map(|cell| cell.iter().copied().find(kind)).collect())
    }

    /// The rank of each cell and the rank from the other end, from 1; 0 for cells without a value.
    pub(super) fn ranks(&self) -> Vec<[u32; 2]> {
        let Some(comparable) = Comparable::of(self.0.iter().flatten()) else {
            return vec![[0, 0]; self.0.len()];
        };
        let keys: Vec<Option<[f64; 3]>> =
            self.0.iter().map(|value| value.as_ref().map(|value| comparable.key(value))).collect();
        let mut different: Vec<[f64; 3]> = keys.iter().flatten().copied().collect();
        different.sort_by(compare);
        different.dedup_by(|left, right| compare(left, right).is_eq());
        let rank = |key: &Option<[f64; 3]>| {
            let rank = key.and_then(|key| different.binary_search_by(|other| compare(other, &key)).ok());
            rank.map_or([0, 0], |rank| [rank as u32 + 1, (different.len() - rank) as u32])
        };
        keys.iter().map(rank).collect()
    }

    /// How each cell stands to the values of a question: 1 if one is equal, plus 2 if one is less than the cell,
    /// plus 4 if one is greater.
    pub(super) fn relations(&self, question: &[Value]) -> Vec<u32> {
        let mut relations = vec![0; self.0.len()];
        if self.0.iter().all(Option::is_none) {
            return relations;
        }
        for asked in question {
            let Some(comparable) = Comparable::of(self.0.iter().flatten().chain([asked])) else { continue };
            let key = comparable.key(asked);
            for (relation, value) in relations.iter_mut().zip(&self.0) {
                *relation |= match value.as_ref().map(|value| compare(&key, &comparable.key(value))) {
                    None => 0,
                    Some(Ordering::Equal) => 1,
                    Some(Ordering::Less) => 2,
                    Some(Ordering::Greater) => 4,
                };
            }
        }
        relations
    }
}

impl Comparable {
    /// What all of these values have; `None` when they have nothing in common, or there are none.
    fn of<'a>(values: impl Iterator<Item = &'a Value> + Clone) -> Option<Self> {
        let (numbers, dates) = (values.clone().any(is_number), values.clone().any(is_date));
        if numbers != dates && numbers {
            return Some(Self::Numbers);
        }
        let fields = values.fold([true; 3], |fields, value| {
            let there = fields_of(value).map(|field| field.is_some());
            std::array::from_fn(|at| fields[at] && there[at])
        });
        (numbers != dates && fields.contains(&true)).then_some(Self::Dates(fields))
    }

    /// A value as numbers that are compared one after the other.
    fn key(&self, value: &Value) -> [f64; 3] {
        match (self, value) {
            (Self::Numbers, Value::Number(number)) => [*number, 0.0, 0.0],
            (Self::Numbers, Value::Date(_)) => [0.0; 3],
            (Self::Dates(fields), value) => {
                let values = fields_of(value);
                std::array::from_fn(|at| if fields[at] { f64::from(values[at].unwrap_or(0)) } else { 0.0 })
            }
        }
    }
}

fn fields_of(value: &Value) -> [Option<u32>; 3] {
    match value {
        Value::Number(_) => [None; 3],
        Value::Date(date) => [date.year, date.month, date.day],
    }
}

/// No key holds NaN, and -0.0 equals 0.0.
fn compare(left: &[f64; 3], right: &[f64; 3]) -> Ordering {
    left.partial_cmp(right).unwrap_or(Ordering::Equal)
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Number(_))
}

fn is_date(value: &Value) -> bool {
    matches!(value, Value::Date(_))
}
