//! Python's `str.format`, as far as one text can fill it.

use burnpipe_core::{Error, ErrorKind, Result};

/// `template.format(label)`: `{}` once or `{0}` any number of times, `{{` and `}}` for braces.
///
/// Python's format specifications (`{:>10}`) and conversions (`{!r}`) are refused: nobody pads a
/// hypothesis.
pub(super) fn format(template: &str, label: &str) -> Result<String> {
    let refuse = |reason: String| {
        let message = format!("parameter `hypothesis_template`: {reason}; write {{}} where the label goes");
        Err(Error::new(ErrorKind::Parameter, message))
    };
    let mut text = String::with_capacity(template.len() + label.len());
    let mut rest = template;
    // What stood between the braces before: Python does not let `{}` stand beside another field.
    let mut seen: Option<&str> = None;
    while let Some(brace) = rest.find(['{', '}']) {
        let (before, from_brace) = rest.split_at(brace);
        text.push_str(before);
        if from_brace.starts_with("{{") || from_brace.starts_with("}}") {
            text.push_str(&from_brace[..1]);
            rest = &from_brace[2..];
            continue;
        }
        let Some((field, after)) = from_brace[1..].split_once('}').filter(|_| from_brace.starts_with('{'))
        else {
            let brace = &from_brace[..1];
            return refuse(format!(
                "`{template}` has a single `{brace}`; a brace itself is `{brace}{brace}`"
            ));
        };
        match (field, seen) {
            ("", None) | ("0", None | Some("0")) => text.push_str(label),
            ("", Some(_)) | ("0", Some(_)) => {
                return refuse(format!(
                    "`{template}` has two places for one label; {{0}} may stand more than once"
                ));
            }
            _ => {
                return refuse(format!(
                    "`{template}` has the field `{{{field}}}`, and there is only a label"
                ));
            }
        }
        seen = Some(field);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_as_python_fills_them() {
        let rows = [
            ("This example is {}.", Some("This example is food.")),
            ("{0}, {0}", Some("food, food")),
            ("{{{}}} {{}}", Some("{food} {}")),
            ("no place", Some("no place")),
            ("Größe {} 😀", Some("Größe food 😀")),
            ("{} {}", None),
            ("{} {0}", None),
            ("{0} {}", None),
            ("{1}", None),
            ("{label}", None),
            ("{:>9}", None),
            ("{", None),
            ("}", None),
            ("{}}", None),
        ];
        for (template, expected) in rows {
            let text = format(template, "food");
            assert_eq!(text.as_deref().ok(), expected, "{template}");
            if let Err(error) = text {
                assert!(error.to_string().contains(template), "{error}");
            }
        }
    }
}
