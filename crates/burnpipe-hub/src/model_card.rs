//! The YAML head of a model's `README.md`.

/// The `pipeline_tag` of the head. Only that line is read: the head is YAML, but no more of it is
/// needed here than one text at the top level.
pub(crate) fn pipeline_tag(card: &str) -> Option<String> {
    let mut lines = card.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let head = lines.take_while(|line| line.trim_end() != "---");
    let value = head.filter_map(|line| line.strip_prefix("pipeline_tag:")).next()?;
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!matches!(value, "" | "null" | "~")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::pipeline_tag;

    #[test]
    fn the_tag_is_read_from_the_head_only() {
        let cases = [
            ("---\npipeline_tag: fill-mask\n---\n# Card", Some("fill-mask")),
            ("---\r\nlicense: mit\r\npipeline_tag: \"fill-mask\"\r\n---\r\n", Some("fill-mask")),
            ("---\npipeline_tag: 'fill-mask' # as the Hub says\n---\n", Some("fill-mask")),
            ("\u{feff}---\npipeline_tag:   fill-mask\n---\n", Some("fill-mask")),
            ("---\nlicense: mit\n---\npipeline_tag: fill-mask\n", None),
            ("---\nmodel-index:\n  pipeline_tag: fill-mask\n---\n", None),
            ("---\npipeline_tag:\n---\n", None),
            ("# Card\npipeline_tag: fill-mask\n", None),
            ("", None),
        ];
        for (card, expected) in cases {
            assert_eq!(pipeline_tag(card).as_deref(), expected, "{card:?}");
        }
    }
}
