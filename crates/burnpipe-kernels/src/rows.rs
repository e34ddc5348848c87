//! Rows of tables: looking them up, and their mean.

use rayon::prelude::*;

/// Rows that a thread copies at a time.
const ROWS: usize = 64;

/// The rows of a table that `ids` name, `[ids, size]`, in parallel.
///
/// # Panics
///
/// When the table has no such row.
///
/// ```
/// assert_eq!(burnpipe_kernels::gather(&[1.0, 2.0, 3.0, 4.0], 2, &[1, 0]), [3.0, 4.0, 1.0, 2.0]);
/// ```
pub fn gather(table: &[f32], size: usize, ids: &[i32]) -> Vec<f32> {
    let row = |id: &i32| {
        let start = usize::try_from(*id).map_or(table.len(), |id| id * size);
        &table[start..start + size]
    };
    if ids.len() <= ROWS {
        return ids.iter().flat_map(row).copied().collect();
    }
    let mut rows = vec![0.0; ids.len() * size];
    let parts = rows.par_chunks_mut((ROWS * size).max(1)).zip(ids.par_chunks(ROWS));
    parts.for_each(|(rows, ids)| {
        rows.chunks_mut(size.max(1)).zip(ids).for_each(|(to, id)| to.copy_from_slice(row(id)));
    });
    rows
}

/// The mean of the rows that `seen` keeps; zeros if it keeps none.
///
/// # Panics
///
/// When there is not a row of `size` for every entry of `seen`.
///
/// ```
/// assert_eq!(burnpipe_kernels::mean_of_rows(&[1.0, 2.0, 3.0, 6.0, 9.0, 9.0], 2, &[true, true, false]), [2.0, 4.0]);
/// ```
pub fn mean_of_rows(rows: &[f32], size: usize, seen: &[bool]) -> Vec<f32> {
    assert_eq!(rows.len(), size * seen.len(), "a row per entry");
    let mut mean = vec![0.0; size];
    let mut count = 0.0_f32;
    for (row, _) in rows.chunks(size.max(1)).zip(seen).filter(|(_, seen)| **seen) {
        count += 1.0;
        mean.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    mean.iter_mut().for_each(|sum| *sum /= count.max(1.0));
    mean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::numbers;

    proptest! {
        #[test]
        fn rows_are_those_of_the_table(ids in prop::collection::vec(0_i32..9, 0..200), size in 1_usize..9) {
            let table = numbers(9 * size, 1);
            let rows = gather(&table, size, &ids);
            prop_assert_eq!(rows.len(), ids.len() * size);
            for (row, id) in rows.chunks(size).zip(&ids) {
                let start = *id as usize * size;
                prop_assert_eq!(row, &table[start..start + size]);
            }
        }

        #[test]
        fn means_equal_f64(seen in prop::collection::vec(any::<bool>(), 1..50), size in 1_usize..9) {
            let rows = numbers(seen.len() * size, 2);
            let mean = mean_of_rows(&rows, size, &seen);
            let count = seen.iter().filter(|seen| **seen).count().max(1) as f64;
            for (column, mean) in mean.iter().enumerate() {
                let kept = seen.iter().enumerate().filter(|(_, seen)| **seen);
                let sum: f64 = kept.map(|(row, _)| f64::from(rows[row * size + column])).sum();
                prop_assert!((f64::from(*mean) - sum / count).abs() < 1e-5);
            }
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_row_that_is_not_there_is_refused() {
        gather(&[1.0, 2.0], 1, &[-1]);
    }
}
