//! The end of tasks that classify: scores to labels.

use burnpipe_core::Label;

/// The labels with the highest scores, the best first; of equal ones the first that the model has.
pub(crate) fn best(labels: &[String], scores: Vec<f32>, top_k: usize) -> Vec<Label> {
    let labelled = labels.iter().zip(scores);
    let mut best: Vec<Label> = labelled.map(|(label, score)| Label { label: label.clone(), score }).collect();
    best.sort_by(|left, right| right.score.total_cmp(&left.score));
    best.truncate(top_k);
    best
}
