//! Tokens to words to entities.

use burnpipe_core::Result;
use burnpipe_text::Tokenizer;

use super::{AggregationStrategy, Entity};
use crate::text_features::argmax;

/// A token with its scores, before anything is grouped.
pub(super) struct PreEntity {
    pub(super) word: String,
    pub(super) scores: Vec<f32>,
    pub(super) index: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) is_subword: bool,
}

/// A token or word with the label it got.
struct Labelled {
    label: String,
    score: f32,
    index: Option<usize>,
    word: String,
    start: usize,
    end: usize,
}

/// Labels tokens, and groups them as the strategy says.
pub(super) fn aggregate(
    tokens: Vec<PreEntity>,
    strategy: AggregationStrategy,
    labels: &[String],
    tokenizer: &Tokenizer,
) -> Result<Vec<Entity>> {
    let labelled = match strategy {
        AggregationStrategy::None | AggregationStrategy::Simple => {
            tokens.into_iter().map(|token| label_token(token, labels)).collect()
        }
        _ => label_words(&tokens, strategy, labels, tokenizer)?,
    };
    if strategy == AggregationStrategy::None {
        let entity = |token: Labelled| Entity {
            entity: Some(token.label),
            entity_group: None,
            score: token.score,
            index: token.index,
            word: token.word,
            start: token.start,
            end: token.end,
        };
        return Ok(labelled.into_iter().map(entity).collect());
    }
    group(&labelled, tokenizer)
}

fn label_token(token: PreEntity, labels: &[String]) -> Labelled {
    let best = argmax(&token.scores);
    Labelled {
        label: labels[best].clone(),
        score: token.scores[best],
        index: Some(token.index),
        word: token.word,
        start: token.start,
        end: token.end,
    }
}

/// Gives the tokens of a word one label.
fn label_words(
    tokens: &[PreEntity],
    strategy: AggregationStrategy,
    labels: &[String],
    tokenizer: &Tokenizer,
) -> Result<Vec<Labelled>> {
    tokens
        .chunk_by(|_, next| next.is_subword)
        .map(|word| label_word(word, strategy, labels, tokenizer))
        .collect()
}

fn label_word(
    tokens: &[PreEntity],
    strategy: AggregationStrategy,
    labels: &[String],
    tokenizer: &Tokenizer,
) -> Result<Labelled> {
    let words: Vec<&str> = tokens.iter().map(|token| token.word.as_str()).collect();
    let best_score = |token: &PreEntity| token.scores[argmax(&token.scores)];
    let scores = match strategy {
        AggregationStrategy::Average => mean_scores(tokens),
        AggregationStrategy::Max => {
            // The first of equals, as Python's `max`.
            let surest = tokens
                .iter()
                .reduce(|best, next| if best_score(next) > best_score(best) { next } else { best });
            surest.map(|token| token.scores.clone()).unwrap_or_default()
        }
        _ => tokens[0].scores.clone(),
    };
    let best = argmax(&scores);
    Ok(Labelled {
        label: labels[best].clone(),
        score: scores[best],
        index: None,
        word: tokenizer.convert_tokens_to_string(&words)?,
        start: tokens[0].start,
        end: tokens[tokens.len() - 1].end,
    })
}

fn mean_scores(tokens: &[PreEntity]) -> Vec<f32> {
    let mut sums = vec![0.0; tokens[0].scores.len()];
    for token in tokens {
        sums.iter_mut().zip(&token.scores).for_each(|(sum, score)| *sum += score);
    }
    sums.into_iter().map(|sum: f32| sum / tokens.len() as f32).collect()
}

/// Whether the label starts an entity, and what it is of.
fn tag(label: &str) -> (bool, &str) {
    match label.strip_prefix("B-") {
        Some(tag) => (true, tag),
        None => (false, label.strip_prefix("I-").unwrap_or(label)),
    }
}

/// Neighbours of the same tag make an entity, unless the later one starts a new one.
fn group(labelled: &[Labelled], tokenizer: &Tokenizer) -> Result<Vec<Entity>> {
    let joined = |last: &Labelled, next: &Labelled| {
        let (starts, next_tag) = tag(&next.label);
        !starts && tag(&last.label).1 == next_tag
    };
    labelled.chunk_by(joined).map(|members| group_entity(members, tokenizer)).collect()
}

fn group_entity(members: &[Labelled], tokenizer: &Tokenizer) -> Result<Entity> {
    let words: Vec<&str> = members.iter().map(|member| member.word.as_str()).collect();
    let label = &members[0].label;
    // Python drops whatever stands before the first dash here, not only `B-` and `I-`.
    let entity_group = label.split_once('-').map_or(label.as_str(), |(_, group)| group);
    let score = members.iter().map(|member| member.score).sum::<f32>() / members.len() as f32;
    Ok(Entity {
        entity: None,
        entity_group: Some(entity_group.to_string()),
        score,
        index: None,
        word: tokenizer.convert_tokens_to_string(&words)?,
        start: members[0].start,
        end: members[members.len() - 1].end,
    })
}

/// Of entities that overlap, found in neighbouring windows, keeps the longest or else the surest.
///
/// The first one is compared with itself, too, as in Python: one without length stays twice.
pub(super) fn merge_overlapping(mut entities: Vec<Entity>) -> Vec<Entity> {
    entities.sort_by_key(|entity| entity.start);
    let Some(mut last) = entities.first().cloned() else { return entities };
    let mut kept = Vec::new();
    for entity in entities {
        if last.start <= entity.start && entity.start < last.end {
            let length = entity.end.saturating_sub(entity.start);
            let last_length = last.end.saturating_sub(last.start);
            if length > last_length || length == last_length && entity.score > last.score {
                last = entity;
            }
        } else {
            kept.push(std::mem::replace(&mut last, entity));
        }
    }
    kept.push(last);
    kept
}
