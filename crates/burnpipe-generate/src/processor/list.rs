//! The processors that a configuration asks for, in Python's order.

use burnpipe_core::Result;

use super::{
    EncoderNoRepeatNGramLogitsProcessor, EncoderRepetitionPenaltyLogitsProcessor, EpsilonLogitsWarper,
    EtaLogitsWarper, ExponentialDecayLengthPenalty, ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor, InfNanRemoveLogitsProcessor, LogitNormalization, LogitsProcessor,
    MinLengthLogitsProcessor, MinNewTokensLengthLogitsProcessor, MinPLogitsWarper, NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor, PrefixConstrainedLogitsProcessor, RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor, SuppressTokensAtBeginLogitsProcessor, SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper, TypicalLogitsWarper,
};
use crate::config::GenerationConfig;

/// What processors need besides a configuration and a prompt.
#[derive(Default)]
pub struct ProcessorInputs<'a> {
    /// The tokens that the model was given: the encoder's, or the prompt's of a decoder alone. `None` when
    /// it was given an image or sound, for which `encoder_repetition_penalty` and
    /// `encoder_no_repeat_ngram_size` are passed by.
    pub encoder_input_ids: Option<&'a [u32]>,
    /// The caller's `prefix_allowed_tokens_fn`.
    pub prefix_allowed_tokens: Option<PrefixConstrainedLogitsProcessor>,
    /// The caller's own processors: they come before the warpers, each in the place of one of its kind.
    pub custom: Vec<Box<dyn LogitsProcessor>>,
}

/// The processors for one input, in the order of `_get_logits_processor`.
///
/// `config` is that of [`GenerationConfig::for_prompt`]. Guidance and
/// [`HammingDiversityLogitsProcessor`](super::HammingDiversityLogitsProcessor) look at more than one row:
/// they belong to the searches and come before these.
///
/// # Errors
///
/// When a parameter has a value that its processor cannot take.
pub fn processors(
    config: &GenerationConfig,
    prompt: &[u32],
    inputs: ProcessorInputs<'_>,
) -> Result<Vec<Box<dyn LogitsProcessor>>> {
    let mut list: Vec<Box<dyn LogitsProcessor>> = Vec::new();
    push_repetition(&mut list, config, inputs.encoder_input_ids)?;
    push_lengths(&mut list, config, prompt.len());
    if let Some(prefix) = inputs.prefix_allowed_tokens {
        list.push(Box::new(prefix));
    }
    push_forced(&mut list, config);
    push_others(&mut list, config, prompt.len())?;
    let mut list = with_custom(list, inputs.custom);
    if config.do_sample {
        push_warpers(&mut list, config)?;
    }
    if config.renormalize_logits {
        list.push(Box::new(LogitNormalization));
    }
    Ok(list)
}

fn eos_tokens(config: &GenerationConfig) -> &[u32] {
    config.eos_token_id.as_deref().unwrap_or_default()
}

fn push_repetition(
    list: &mut Vec<Box<dyn LogitsProcessor>>,
    config: &GenerationConfig,
    encoder_input_ids: Option<&[u32]>,
) -> Result<()> {
    if let Some(sequence_bias) = &config.sequence_bias {
        list.push(Box::new(SequenceBiasLogitsProcessor::new(sequence_bias)?));
    }
    if config.encoder_repetition_penalty != 1.0
        && let Some(encoder) = encoder_input_ids
    {
        let penalty = config.encoder_repetition_penalty;
        list.push(Box::new(EncoderRepetitionPenaltyLogitsProcessor::new(penalty, encoder)?));
    }
    if config.repetition_penalty != 1.0 {
        list.push(Box::new(RepetitionPenaltyLogitsProcessor::new(config.repetition_penalty)?));
    }
    if config.no_repeat_ngram_size > 0 {
        list.push(Box::new(NoRepeatNGramLogitsProcessor::new(config.no_repeat_ngram_size)?));
    }
    if config.encoder_no_repeat_ngram_size > 0
        && let Some(encoder) = encoder_input_ids
    {
        let size = config.encoder_no_repeat_ngram_size;
        list.push(Box::new(EncoderNoRepeatNGramLogitsProcessor::new(size, encoder.to_vec())?));
    }
    if let Some(bad_words_ids) = &config.bad_words_ids {
        list.push(Box::new(NoBadWordsLogitsProcessor::new(bad_words_ids, eos_tokens(config))?));
    }
    Ok(())
}

fn push_lengths(list: &mut Vec<Box<dyn LogitsProcessor>>, config: &GenerationConfig, prompt_length: usize) {
    let eos = eos_tokens(config);
    if eos.is_empty() {
        return;
    }
    if config.min_length > 0 {
        list.push(Box::new(MinLengthLogitsProcessor::new(config.min_length, eos.to_vec())));
    }
    if let Some(min_new_tokens) = config.min_new_tokens.filter(|&tokens| tokens > 0) {
        let processor = MinNewTokensLengthLogitsProcessor::new(prompt_length, min_new_tokens, eos.to_vec());
        list.push(Box::new(processor));
    }
}

fn push_forced(list: &mut Vec<Box<dyn LogitsProcessor>>, config: &GenerationConfig) {
    if let Some(token) = config.forced_bos_token_id {
        list.push(Box::new(ForcedBOSTokenLogitsProcessor::new(token)));
    }
    if let Some(tokens) = &config.forced_eos_token_id {
        list.push(Box::new(ForcedEOSTokenLogitsProcessor::new(config.max_length, tokens.clone())));
    }
}

fn push_others(
    list: &mut Vec<Box<dyn LogitsProcessor>>,
    config: &GenerationConfig,
    prompt_length: usize,
) -> Result<()> {
    if config.remove_invalid_values {
        list.push(Box::new(InfNanRemoveLogitsProcessor));
    }
    if let Some(penalty) = config.exponential_decay_length_penalty {
        let eos = eos_tokens(config).to_vec();
        list.push(Box::new(ExponentialDecayLengthPenalty::new(penalty, eos, prompt_length)?));
    }
    if let Some(tokens) = &config.suppress_tokens {
        list.push(Box::new(SuppressTokensLogitsProcessor::new(tokens.clone())));
    }
    if let Some(tokens) = &config.begin_suppress_tokens {
        // After a single start token a forced one comes first, and the text begins after that.
        let forced = prompt_length <= 1 && config.forced_bos_token_id.is_some();
        let begin_index = prompt_length + usize::from(forced);
        list.push(Box::new(SuppressTokensAtBeginLogitsProcessor::new(tokens.clone(), begin_index)));
    }
    Ok(())
}

/// Puts the caller's processors in the places of those of their kind, and the others at the end.
fn with_custom(
    list: Vec<Box<dyn LogitsProcessor>>,
    mut custom: Vec<Box<dyn LogitsProcessor>>,
) -> Vec<Box<dyn LogitsProcessor>> {
    let replace = |processor: Box<dyn LogitsProcessor>| match custom
        .iter()
        .position(|other| other.name() == processor.name())
    {
        Some(at) => custom.remove(at),
        None => processor,
    };
    let mut list: Vec<_> = list.into_iter().map(replace).collect();
    list.append(&mut custom);
    list
}

fn push_warpers(list: &mut Vec<Box<dyn LogitsProcessor>>, config: &GenerationConfig) -> Result<()> {
    // A beam search needs a token to go on with, however many end a row.
    let keep = if config.num_beams > 1 { (eos_tokens(config).len() + 1).max(2) } else { 1 };
    if config.temperature != 1.0 {
        list.push(Box::new(TemperatureLogitsWarper::new(config.temperature)?));
    }
    if let Some(top_k) = config.top_k.filter(|&top_k| top_k != 0) {
        list.push(Box::new(TopKLogitsWarper::new(top_k, keep)?));
    }
    if let Some(top_p) = config.top_p.filter(|&top_p| top_p < 1.0) {
        list.push(Box::new(TopPLogitsWarper::new(top_p, keep)?));
    }
    if let Some(min_p) = config.min_p {
        list.push(Box::new(MinPLogitsWarper::new(min_p, keep)?));
    }
    if let Some(typical_p) = config.typical_p.filter(|&typical_p| typical_p < 1.0) {
        list.push(Box::new(TypicalLogitsWarper::new(typical_p, keep)?));
    }
    let inside = |cutoff: &f64| *cutoff > 0.0 && *cutoff < 1.0;
    if let Some(epsilon) = config.epsilon_cutoff.filter(inside) {
        list.push(Box::new(EpsilonLogitsWarper::new(epsilon, keep)?));
    }
    if let Some(epsilon) = config.eta_cutoff.filter(inside) {
        list.push(Box::new(EtaLogitsWarper::new(epsilon, keep)?));
    }
    Ok(())
}
