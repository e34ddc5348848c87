//! Text of strangers on our terminal.

use super::style::PALE;

/// The text on one line, without characters that move the cursor or change colours.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_whitespace() { ' ' } else { visible(character) }).collect()
}

/// The text as it is, line breaks included, without characters that move the cursor.
pub(super) fn lines(text: &str) -> String {
    text.chars()
        .map(|character| if matches!(character, '\n' | '\t') { character } else { visible(character) })
        .collect()
}

/// The text on one line and not longer than this.
pub(super) fn preview(text: &str, longest: usize) -> String {
    let line = one_line(text);
    if line.chars().count() <= longest {
        return line;
    }
    line.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// A prompt before what follows it.
pub(crate) fn prompt(text: &str) -> String {
    format!("{PALE}{}{PALE:#}", lines(text))
}

/// A piece of text as it is made.
pub(crate) fn streamed(text: &str) -> String {
    lines(text)
}

fn visible(character: char) -> char {
    // Marks that turn the direction of writing can hide text as well as control characters do.
    let turns_direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns_direction { '\u{fffd}' } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\x1b[31m\tb\nc\u{202e}"), "a\u{fffd}[31m b c\u{fffd}");
        assert_eq!(lines("a\r\nb\u{7}"), "a\u{fffd}\nb\u{fffd}");
        assert_eq!(preview("éàü", 3), "éàü");
        assert_eq!(preview("éàüö", 3), "éà…");
    }
}
