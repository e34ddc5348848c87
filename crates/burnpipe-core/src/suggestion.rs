//! Near matches for a name that is not known.

/// `name` in backticks is not one of `known`: the tail of a message that names the near ones, or
/// all of them when none is near.
///
/// ```
/// let known = ["token-classification", "text-classification", "fill-mask"];
/// let tail = burnpipe_core::suggestion("token-clasification", known);
/// assert_eq!(tail, "did you mean `token-classification`, `text-classification`?");
/// assert_eq!(burnpipe_core::suggestion("zzz", ["fill-mask"]), "known: `fill-mask`");
/// ```
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|&candidate| (similarity(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(similarity, _)| similarity > 0.85)
        .collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0));
    near.truncate(3);
    if near.is_empty() {
        format!("known: {}", quoted(known))
    } else {
        format!("did you mean {}?", quoted(near.into_iter().map(|(_, candidate)| candidate)))
    }
}

/// From 0 to 1; a slip of one letter in a short name counts as near.
fn similarity(name: &str, candidate: &str) -> f64 {
    let slip = strsim::osa_distance(name, candidate) == 1;
    strsim::jaro_winkler(name, candidate).max(if slip { 0.9 } else { 0.0 })
}

/// Names in backticks, joined by commas.
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
