//! The search of a method, by the parameters.

use burnpipe_core::{Error, ErrorKind, Result};

use super::Search;
use super::assisted::Assisted;
use super::beam::Beam;
use super::constrained_beam::ConstrainedBeam;
use super::contrastive::Contrastive;
use super::group_beam::GroupBeam;
use super::guided::Guided;
use super::padded::Padded;
use super::rules::Rules;
use super::sample::Sample;
use crate::config::{GenerationConfig, GenerationMode};
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
    /// How many tokens at the prompt's start are padding: they count, and the model does not read them.
    pub padding: usize,
}

/// The search that continues a prompt by the method that the parameters name.
///
/// `config` is that of [`GenerationConfig::for_prompt`]; the processors are those of
/// [`processors`](crate::processors), without guidance and diversity, which are the searches' own. `eos_token_id`
/// and `max_length` end a row, and every rule of `stopping` does. An assistant beside a method that has no use
/// for one is left aside.
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
    config.validate()?;
    let rules = Rules::new(config, &prompt, processors, stopping)?;
    let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
    let (input, count) = (context.input, config.num_return_sequences);
    let guided = config.guidance_scale.is_some_and(|scale| scale != 1.0);
    let padding = context.padding;
    if padding >= prompt.len() {
        return Err(Error::new(ErrorKind::Input, "the prompt has no token to continue, only padding"));
    }
    let guided_prompt = guided.then(|| prompt[padding..].to_vec());
    let search: Box<dyn Search> = match config.generation_mode(context.assistant) {
        GenerationMode::GreedySearch | GenerationMode::Sample => {
            Box::new(Sample::new(rules, &prompt, config.do_sample, count, seed, input))
        }
        GenerationMode::BeamSearch | GenerationMode::BeamSample => {
            Box::new(Beam::new(rules, config, &prompt, seed, input))
        }
        GenerationMode::GroupBeamSearch => Box::new(GroupBeam::new(rules, config, &prompt)?),
        GenerationMode::ConstrainedBeamSearch => Box::new(ConstrainedBeam::new(rules, config, &prompt)?),
        GenerationMode::ContrastiveSearch => Box::new(Contrastive::new(rules, config, prompt, padding)),
        GenerationMode::AssistedGeneration => Box::new(Assisted::new(rules, config, prompt, seed, input)?),
    };
    let search = if padding > 0 { Box::new(Padded::new(search, padding)) } else { search };
    Ok(match guided_prompt {
        Some(prompt) => {
            Box::new(Guided::new(search, &prompt, context.negative_prompt.clone(), config.num_beams > 1)?)
        }
        None => search,
    })
}
