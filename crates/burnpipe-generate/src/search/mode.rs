//! Which method decodes, by the parameters: `get_generation_mode` of transformers 4.56.2.

use burnpipe_core::{Error, ErrorKind, Result};

use super::Search;
use super::assisted::Assisted;
use super::beam::Beam;
use super::constrained_beam::ConstrainedBeam;
use super::contrastive::Contrastive;
use super::group_beam::GroupBeam;
use super::guided::Guided;
use super::rules::Rules;
use super::sample::Sample;
use crate::config::GenerationConfig;
use crate::processor::LogitsProcessor;
use crate::stopping::StoppingRule;

/// What a search is told of its input beside the parameters.
#[derive(Clone, Debug, Default)]
pub struct SearchContext {
    /// Which of the call's inputs it is. With the same seed, inputs draw from different streams.
    pub input: usize,
    /// Whether there is a small model that proposes tokens.
    pub assistant: bool,
    /// The prompt that guidance moves away from; `None` for the last token of the prompt.
    pub negative_prompt: Option<Vec<u32>>,
}

/// The search that continues a prompt by the method that the parameters name.
///
/// The lengths are the configuration's as they stand: `max_new_tokens`, else `max_length` with the prompt.
/// `eos_token_id` and the lengths end a row, and every rule of `stopping` does.
///
/// # Errors
///
/// When the parameters contradict each other, the prompt is empty, or it leaves no room for a token.
pub fn search(
    config: &GenerationConfig,
    prompt: Vec<u32>,
    processors: Vec<Box<dyn LogitsProcessor>>,
    stopping: Vec<Box<dyn StoppingRule>>,
    context: &SearchContext,
) -> Result<Box<dyn Search>> {
    validate(config)?;
    let rules = Rules::new(config, &prompt, processors, stopping)?;
    let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
    let (input, count) = (context.input, config.num_return_sequences);
    let guided = config.guidance_scale.is_some_and(|scale| scale != 1.0);
    let guided_prompt = guided.then(|| prompt.clone());
    let search: Box<dyn Search> = match method(config, context) {
        Method::Sample => Box::new(Sample::new(rules, &prompt, config.do_sample, count, seed, input)),
        Method::Beam => Box::new(Beam::new(rules, config, &prompt, seed, input)),
        Method::GroupBeam => Box::new(GroupBeam::new(rules, config, &prompt)?),
        Method::ConstrainedBeam => Box::new(ConstrainedBeam::new(rules, config, &prompt)?),
        Method::Contrastive => Box::new(Contrastive::new(rules, config, prompt)),
        Method::Assisted if count > 1 => {
            let message =
                "`num_return_sequences` must be 1 with an assistant model or `prompt_lookup_num_tokens`";
            return Err(Error::new(ErrorKind::Parameter, message));
        }
        Method::Assisted => Box::new(Assisted::new(rules, config, prompt, seed, input)?),
    };
    Ok(match guided_prompt {
        Some(prompt) => Box::new(Guided::new(search, &prompt, context.negative_prompt.clone())?),
        None => search,
    })
}

/// A decoding method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Sample,
    Beam,
    GroupBeam,
    ConstrainedBeam,
    Contrastive,
    Assisted,
}

/// `get_generation_mode`. An assistant beside a method that has no use for one is left aside, as there.
fn method(config: &GenerationConfig, context: &SearchContext) -> Method {
    let contrastive =
        config.top_k.is_some_and(|top_k| top_k > 1) && config.penalty_alpha.is_some_and(|a| a > 0.0);
    if config.force_words_ids.is_some() {
        return Method::ConstrainedBeam;
    }
    if config.num_beams > 1 {
        return if config.num_beam_groups > 1 { Method::GroupBeam } else { Method::Beam };
    }
    if contrastive && !config.do_sample {
        return Method::Contrastive;
    }
    if context.assistant || config.prompt_lookup_num_tokens.is_some() {
        return Method::Assisted;
    }
    Method::Sample
}

/// What `GenerationConfig.validate` refuses; what one method alone asks for is in its file.
fn validate(config: &GenerationConfig) -> Result<()> {
    let refuse = |message: &str| Err(Error::new(ErrorKind::Parameter, message));
    if config.max_new_tokens == Some(0) {
        return refuse("`max_new_tokens` must be greater than 0");
    }
    if config.num_beams == 0 || config.num_return_sequences == 0 {
        return refuse("`num_beams` and `num_return_sequences` must be at least 1");
    }
    if config.num_beams == 1 {
        if config.num_return_sequences > 1 && !config.do_sample {
            return refuse(
                "greedy search gives one answer: `num_return_sequences` needs `do_sample` or `num_beams`",
            );
        }
        return Ok(());
    }
    if config.num_return_sequences > config.num_beams {
        return refuse("`num_return_sequences` must not be above `num_beams`");
    }
    let groups = config.diversity_penalty != 0.0 || config.num_beam_groups != 1;
    let apart = config.diversity_penalty > 0.0 && config.num_beam_groups > 1;
    if groups && config.force_words_ids.is_none() && (config.do_sample || !apart) {
        return refuse(
            "groups of beams need `num_beam_groups` above 1 and `diversity_penalty` above 0, and no `do_sample`",
        );
    }
    Ok(())
}
