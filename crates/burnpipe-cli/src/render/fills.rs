//! Words for masks, as fill-mask gives them: a row per word.

use serde_json::Value;

use super::{Table, printable};

/// A word in the place of a mask.
pub(super) struct Fill<'a> {
    /// Which of several masks, from 1.
    mask: Option<usize>,
    word: &'a str,
    score: f64,
    text: &'a str,
}

/// The words of an answer that has this shape: a list of them, or a list for each of several masks.
pub(super) fn read(answer: &Value) -> Option<Vec<Fill<'_>>> {
    let list = answer.as_array().filter(|list| !list.is_empty())?;
    if !list.iter().all(Value::is_array) {
        return list.iter().map(|fill| read_one(None, fill)).collect();
    }
    let of_masks = list.iter().zip(1..).flat_map(|(fills, mask)| {
        fills.as_array().into_iter().flatten().map(move |fill| read_one(Some(mask), fill))
    });
    of_masks.collect::<Option<Vec<_>>>().filter(|fills| !fills.is_empty())
}

fn read_one(mask: Option<usize>, value: &Value) -> Option<Fill<'_>> {
    value.get("token")?.as_u64()?;
    Some(Fill {
        mask,
        word: value.get("token_str")?.as_str()?,
        score: value.get("score")?.as_f64()?,
        text: value.get("sequence")?.as_str()?,
    })
}

/// A row per word, with the number of its mask where there are several.
pub(super) fn render(fills: &[Fill<'_>], width: Option<u16>) -> String {
    let several = fills.iter().any(|fill| fill.mask.is_some());
    let columns = if several { &["mask", "word", "score", "text"][..] } else { &["word", "score", "text"] };
    let numbers = if several { &[0, 2][..] } else { &[1] };
    let mut table = Table::new(columns.iter().copied()).numbers(numbers.iter().copied());
    for Fill { mask, word, score, text } in fills {
        let cells = [printable::one_line(word.trim()), format!("{score:.4}"), printable::one_line(text)];
        table.row(mask.map(|mask| mask.to_string()).into_iter().chain(cells));
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(answer: &Value) -> String {
        anstream::adapter::strip_str(&render(&read(answer).unwrap(), None)).to_string()
    }

    #[test]
    fn words_are_rows_and_masks_are_numbered_when_there_are_several() {
        let fill = |word: &str, score: f64| json!({"score": score, "token": 5, "token_str": word, "sequence": format!("in{word}\u{1b}.")});
        let (paris, rome) = (fill(" Paris", 0.75), fill(" Rome", 0.125));
        let text = "word    score  text\nParis  0.7500  in Paris\u{fffd}.\nRome   0.1250  in Rome\u{fffd}.\n";
        assert_eq!(plain(&json!([paris, rome])), text);
        let text = "mask  word    score  text\n   1  Paris  0.7500  in Paris\u{fffd}.\n   2  Rome   0.1250  in Rome\u{fffd}.\n";
        assert_eq!(plain(&json!([[paris], [rome]])), text);
    }

    #[test]
    fn other_answers_are_not_taken_for_words() {
        for answer in
            [json!([]), json!([[]]), json!([[0.5]]), json!([{"label": "a", "score": 0.5}]), json!("a")]
        {
            assert!(read(&answer).is_none(), "{answer}");
        }
    }
}
