//! Entities of a text: the text with them marked, and a table of them.

use serde_json::Value;

use super::{Table, printable, style};

/// An entity as token-classification gives it, with or without aggregation.
struct Entity<'a> {
    label: &'a str,
    word: &'a str,
    score: f64,
    /// In characters of the text, as Python counts.
    span: Option<(usize, usize)>,
}

/// A piece of the text with one label.
struct Mark<'a> {
    label: &'a str,
    start: usize,
    end: usize,
}

/// Whether an answer is a list of entities.
pub(super) fn are_entities(answer: &Value) -> bool {
    read(answer).is_some()
}

fn read(answer: &Value) -> Option<Vec<Entity<'_>>> {
    let entities = answer.as_array().filter(|entities| !entities.is_empty())?;
    entities.iter().map(read_one).collect()
}

fn read_one(value: &Value) -> Option<Entity<'_>> {
    let offset = |name: &str| value.get(name)?.as_u64().and_then(|offset| usize::try_from(offset).ok());
    Some(Entity {
        label: value.get("entity_group").or_else(|| value.get("entity"))?.as_str()?,
        word: value.get("word")?.as_str()?,
        score: value.get("score")?.as_f64()?,
        span: offset("start").zip(offset("end")),
    })
}

/// The text with its entities marked, and the table of them.
pub(super) fn render(input: &Value, answer: &Value, width: Option<u16>) -> String {
    let entities = read(answer).unwrap_or_default();
    let Some(text) = input.as_str() else { return table(&entities, None, width) };
    let characters: Vec<char> = text.chars().collect();
    format!(
        "{}\n\n{}",
        marked(&characters, &marks(&entities, &characters)),
        table(&entities, Some(&characters), width)
    )
}

/// The label without the `B-` or `I-` of its kind.
fn bare(label: &str) -> &str {
    label.strip_prefix("B-").or_else(|| label.strip_prefix("I-")).unwrap_or(label)
}

/// Entities in the order of the text; pieces of one entity that stand side by side become one mark.
fn marks<'a>(entities: &[Entity<'a>], characters: &[char]) -> Vec<Mark<'a>> {
    let mut marks: Vec<Mark<'a>> = Vec::new();
    for entity in entities {
        let Some((start, end)) = entity.span else { continue };
        let (start, end) = (start.min(characters.len()), end.min(characters.len()));
        let label = bare(entity.label);
        match marks.last_mut() {
            Some(last) if start < last.end => {}
            Some(last)
                if last.label == label && continues(entity, &characters[last.end..start.max(last.end)]) =>
            {
                last.end = end.max(last.end);
            }
            _ if start < end => marks.push(Mark { label, start, end }),
            _ => {}
        }
    }
    marks
}

/// Whether an entity goes on after this gap: its next piece, or an `I-` word behind a space.
fn continues(entity: &Entity<'_>, gap: &[char]) -> bool {
    gap.is_empty() || entity.label.starts_with("I-") && matches!(gap, [space] if space.is_whitespace())
}

fn marked(characters: &[char], marks: &[Mark<'_>]) -> String {
    let text = |from: usize, to: usize| printable::lines(&characters[from..to].iter().collect::<String>());
    let mut labels: Vec<&str> = Vec::new();
    let mut line = String::new();
    let mut position = 0;
    for mark in marks {
        let nth = labels.iter().position(|label| *label == mark.label).unwrap_or_else(|| {
            labels.push(mark.label);
            labels.len() - 1
        });
        let colour = style::label(nth);
        let strong = colour.bold();
        line.push_str(&text(position, mark.start));
        let (words, label) = (text(mark.start, mark.end), printable::one_line(mark.label));
        line.push_str(&format!("{colour}[{words} {colour:#}{strong}{label}{strong:#}{colour}]{colour:#}"));
        position = mark.end;
    }
    line.push_str(&text(position, characters.len()));
    line
}

fn table(entities: &[Entity<'_>], characters: Option<&[char]>, width: Option<u16>) -> String {
    let mut table = Table::new(["entity", "text", "score", "start", "end"]).numbers([2, 3, 4]);
    for entity in entities {
        let in_text =
            |(start, end): (usize, usize)| Some(characters?.get(start..end)?.iter().collect::<String>());
        let words = entity.span.and_then(in_text).unwrap_or_else(|| entity.word.to_owned());
        let (start, end) = entity.span.map(|(start, end)| (start.to_string(), end.to_string())).unzip();
        table.row([
            printable::one_line(entity.label),
            printable::one_line(&words),
            format!("{:.4}", entity.score),
            start.unwrap_or_default(),
            end.unwrap_or_default(),
        ]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(input: &Value, answer: &Value) -> String {
        anstream::adapter::strip_str(&render(input, answer, None)).to_string()
    }

    #[test]
    fn entities_are_marked_by_characters_not_bytes() {
        let input = json!("Zoë lives in Zürich.");
        let answer = json!([
            {"entity_group": "PER", "score": 0.99, "word": "zoe", "start": 0, "end": 3},
            {"entity_group": "LOC", "score": 0.5, "word": "zurich", "start": 13, "end": 19},
        ]);
        let expected = "[Zoë PER] lives in [Zürich LOC].\n\n\
                        entity  text     score  start  end\n\
                        PER     Zoë     0.9900      0    3\n\
                        LOC     Zürich  0.5000     13   19\n";
        assert_eq!(plain(&input, &answer), expected);
    }

    #[test]
    fn pieces_of_one_entity_are_one_mark() {
        let piece = |label: &str, start: u32, end: u32| json!({"entity": label, "score": 1.0, "word": "", "start": start, "end": end});
        let cases = [
            (vec![piece("B-PER", 0, 2), piece("I-PER", 2, 4), piece("I-PER", 5, 9)], "[Anna Berg PER] Oslo"),
            (vec![piece("B-PER", 0, 4), piece("B-PER", 5, 9)], "[Anna PER] [Berg PER] Oslo"),
            (vec![piece("B-PER", 5, 9), piece("B-LOC", 10, 14)], "Anna [Berg PER] [Oslo LOC]"),
            (vec![piece("PER", 0, 9), piece("LOC", 5, 14)], "[Anna Berg PER] Oslo"),
            (vec![piece("PER", 10, 99)], "Anna Berg [Oslo PER]"),
            (vec![piece("PER", 50, 99)], "Anna Berg Oslo"),
        ];
        for (answer, expected) in cases {
            let text = plain(&json!("Anna Berg Oslo"), &Value::from(answer));
            assert_eq!(text.lines().next(), Some(expected));
        }
    }

    #[test]
    fn without_offsets_there_is_still_a_table() {
        let answer = json!([{"entity": "B-PER", "score": 1.0, "word": "anna", "start": null, "end": null}]);
        assert!(plain(&json!(["Anna"]), &answer).contains("anna"));
        assert!(plain(&json!("Anna"), &answer).starts_with("Anna\n"));
    }

    #[test]
    fn a_label_keeps_its_colour() {
        let answer = json!([
            {"entity_group": "A", "score": 1.0, "word": "", "start": 0, "end": 1},
            {"entity_group": "B", "score": 1.0, "word": "", "start": 1, "end": 2},
            {"entity_group": "A", "score": 1.0, "word": "", "start": 3, "end": 4},
        ]);
        let text = render(&json!("abcd"), &answer, None);
        let (first, second) = (style::label(0).render().to_string(), style::label(1).render().to_string());
        assert_eq!(text.matches(&format!("{first}[")).count(), 2);
        assert_eq!(text.matches(&format!("{second}[")).count(), 1);
    }
}
