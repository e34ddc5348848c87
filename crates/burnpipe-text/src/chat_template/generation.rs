//! The blocks `{% generation %}` ... `{% endgeneration %}`, which transformers adds to Jinja to mark what the
//! assistant wrote. minijinja takes no tags of others, so they become `{% with %}` ... `{% endwith %}`: a block
//! with variables of its own, as in Python, that prints what is in it.
//!
//! Reference: `AssistantTracker` in `utils/chat_template_utils.py`.

/// The template with the tags renamed, outside of comments, texts and raw blocks. Lines stay where they are.
pub(super) fn rename_blocks(source: &str) -> String {
    let mut renamed = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((start, opening)) = next_opening(rest) {
        let (before, after) = rest.split_at(start + opening.len());
        renamed.push_str(before);
        rest = match opening {
            "{#" => copy(&mut renamed, after, after.find("#}")),
            "{{" => copy(&mut renamed, after, end_of_code(after, "}}")),
            _ => copy_tag(&mut renamed, after),
        };
    }
    renamed.push_str(rest);
    renamed
}

/// Where the next comment, print or tag begins, and with what.
fn next_opening(text: &str) -> Option<(usize, &'static str)> {
    text.match_indices('{').find_map(|(start, _)| {
        let opening = match text.as_bytes().get(start + 1)? {
            b'{' => "{{",
            b'%' => "{%",
            b'#' => "{#",
            _ => return None,
        };
        Some((start, opening))
    })
}

/// Copies up to `end`, or everything when there is none, which is an error that the parser will find.
fn copy<'a>(renamed: &mut String, text: &'a str, end: Option<usize>) -> &'a str {
    let (before, after) = text.split_at(end.unwrap_or(text.len()));
    renamed.push_str(before);
    after
}

/// Copies a tag, which `text` follows the opening of, under its new name.
fn copy_tag<'a>(renamed: &mut String, text: &'a str) -> &'a str {
    let name_start = text.len() - text.trim_start_matches(['-', '+']).trim_start().len();
    let (control, named) = text.split_at(name_start);
    let name_end = named.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(named.len());
    let (name, after) = named.split_at(name_end);
    renamed.push_str(control);
    if name == "raw" {
        renamed.push_str(name);
        return copy(renamed, after, end_of_raw(after));
    }
    let closes = after.trim_start().trim_start_matches(['-', '+']).starts_with("%}");
    renamed.push_str(match name {
        "generation" if closes => "with",
        "endgeneration" if closes => "endwith",
        _ => name,
    });
    copy(renamed, after, end_of_code(after, "%}"))
}

/// Where the code of a print or a tag ends: at the first `closing` outside of texts and brackets.
fn end_of_code(text: &str, closing: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut is_escaped = false;
    for (place, character) in text.char_indices() {
        match (quote, character) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, _) if depth == 0 && text[place..].starts_with(closing) => return Some(place),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    None
}

/// Where `{% endraw %}` begins, for a text that begins in the tag `{% raw %}`.
fn end_of_raw(text: &str) -> Option<usize> {
    text.match_indices("{%").map(|(place, _)| place).find(|place| {
        let tag = text[place + 2..].trim_start_matches(['-', '+']).trim_start();
        let end = tag.strip_prefix("endraw").map(|end| end.trim_start().trim_start_matches(['-', '+']));
        end.is_some_and(|end| end.starts_with("%}"))
    })
}
