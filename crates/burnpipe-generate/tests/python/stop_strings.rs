//! Where rows stop by their text.

use std::collections::HashMap;

use burnpipe_generate::{StopStringCriteria, StoppingRule, TokenTexts};

use super::{goldens, section, tokens};

/// Of each vocabulary, what each token decodes to behind the prefix, and its text.
fn vocabularies() -> HashMap<String, HashMap<String, Vec<String>>> {
    serde_json::from_value(goldens()["vocabularies"].clone()).expect("vocabularies")
}

/// The texts of a vocabulary whose decoder is a list: the prefix is one token of no meaning.
fn texts_of(decoded: Vec<String>) -> TokenTexts {
    TokenTexts::from_decoder(vec![u32::MAX], move |tokens| match tokens {
        [u32::MAX, token] => decoded.get(*token as usize).cloned(),
        _ => None,
    })
}

#[test]
fn token_texts_are_cleaned_as_pythons_are() {
    for vocabulary in vocabularies().into_values() {
        let texts = texts_of(vocabulary["decoded"].clone());
        for (token, expected) in (0..).zip(&vocabulary["texts"]) {
            assert_eq!(texts.get(token).as_deref(), Some(expected.as_str()));
        }
    }
}

#[test]
fn rows_stop_where_pythons_do() {
    let vocabularies = vocabularies();
    let cases = section("stop_strings");
    assert!(cases.iter().any(|case| case["stops_at"].as_array().is_some_and(|stops| stops.len() > 3)));
    for case in cases {
        let name = case["vocabulary"].as_str().expect("a vocabulary");
        let texts = texts_of(vocabularies[name]["decoded"].clone());
        let stop_strings = serde_json::from_value(case["stop_strings"].clone()).expect("texts");
        let criterion = StopStringCriteria::new(stop_strings, texts).expect("some texts");
        let row = tokens(&case["tokens"]);
        let stops: Vec<u32> =
            (1..=row.len()).filter(|&length| criterion.stops(&row[..length])).map(|at| at as u32).collect();
        assert_eq!(stops, tokens(&case["stops_at"]), "{case}");
    }
}
