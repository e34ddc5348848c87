//! Batches of inputs that models take only in one shape: images, and sounds that are not joined.

use burnpipe_core::{Error, ErrorKind, Result};

/// Runs a model on inputs of these shapes, those of one shape together. `run` gets their places, in order, and gives a
/// result for each; the results come back in the order of the inputs.
///
/// # Errors
///
/// When `run` fails, or does not answer for every input.
pub(crate) fn run_by_shape<S: PartialEq, R>(
    shapes: &[S],
    run: impl Fn(&[usize]) -> Result<Vec<R>>,
) -> Result<Vec<R>> {
    let mut results: Vec<Option<R>> = shapes.iter().map(|_| None).collect();
    for (first, shape) in shapes.iter().enumerate() {
        if results[first].is_some() {
            continue;
        }
        let places: Vec<usize> = (first..shapes.len()).filter(|&at| shapes[at] == *shape).collect();
        let answers = run(&places)?;
        if answers.len() != places.len() {
            let message = format!("the model gave {} answers for a batch of {}", answers.len(), places.len());
            return Err(Error::new(ErrorKind::Internal, message));
        }
        for (place, answer) in places.into_iter().zip(answers) {
            results[place] = Some(answer);
        }
    }
    Ok(results.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shape_goes_together_and_the_order_stays() {
        let run = |places: &[usize]| Ok(places.iter().map(|&place| (place, places.len())).collect());
        let results: Vec<(usize, usize)> = run_by_shape(&[1, 2, 1, 3, 2], run).unwrap();
        assert_eq!(results, [(0, 2), (1, 2), (2, 2), (3, 1), (4, 2)]);
    }

    #[test]
    fn a_missing_answer_is_an_error() {
        for answers in [0, 1, 3] {
            let error = run_by_shape(&[1, 1], |_| Ok(vec![(); answers])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal, "{answers}");
        }
    }
}
