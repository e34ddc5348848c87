//! What callers add to the parameters of a call: processors and stopping rules of their own.
//!
//! Reference: `logits_processor`, `stopping_criteria` and `prefix_allowed_tokens_fn` of `generate()` in
//! `generation/utils.py` of transformers 4.56.2.

use std::fmt;
use std::sync::Arc;

use crate::{LogitsProcessor, PrefixConstrainedLogitsProcessor, ProcessorInputs, StoppingRule};

/// Makes something anew for every prompt, so that it may count or remember what belongs to one text.
pub struct PerPrompt<T: ?Sized>(Arc<Make<T>>);

/// Given the tokens of a prompt, which are those that the row begins with.
type Make<T> = dyn Fn(&[u32]) -> Box<T> + Send + Sync;

impl<T: ?Sized> PerPrompt<T> {
    /// By a function of the prompt's tokens.
    pub fn new(make: impl Fn(&[u32]) -> Box<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// That of a prompt.
    pub fn make(&self, prompt: &[u32]) -> Box<T> {
        (self.0)(prompt)
    }
}

impl<T: ?Sized> Clone for PerPrompt<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> fmt::Debug for PerPrompt<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PerPrompt").finish_non_exhaustive()
    }
}

/// A call's own processors and stopping rules.
///
/// ```
/// use burnpipe_core::Result;
/// use burnpipe_generate::{CustomRules, GenerationConfig, LogitsProcessor, processors};
///
/// /// Makes a token the less likely the more often it is there.
/// struct CountPenalty(f32);
///
/// impl LogitsProcessor for CountPenalty {
///     fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
///         for token in tokens {
///             if let Some(score) = scores.get_mut(*token as usize) {
///                 *score -= self.0;
///             }
///         }
///         Ok(())
///     }
/// }
///
/// let custom = CustomRules::default().with_processor(|_prompt| CountPenalty(0.5));
/// let list = processors(&GenerationConfig::default(), &[1], custom.processor_inputs(&[1]))?;
/// let mut scores = [0.0, 2.0, 1.0];
/// list[0].process(&[1, 1, 2], &mut scores)?;
/// assert_eq!(scores, [0.0, 1.0, 0.5]);
/// # Ok::<(), burnpipe_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CustomRules {
    /// Processors: they come before the warpers of sampling, each in the place of one of its kind.
    pub logits_processor: Vec<PerPrompt<dyn LogitsProcessor>>,
    /// Rules that end a row, beside those of the parameters.
    pub stopping_criteria: Vec<PerPrompt<dyn StoppingRule>>,
    /// Which tokens may follow those so far.
    pub prefix_allowed_tokens_fn: Option<PerPrompt<PrefixConstrainedLogitsProcessor>>,
}

impl CustomRules {
    /// The same with one more processor, which is made from the tokens of a prompt.
    #[must_use]
    pub fn with_processor<P: LogitsProcessor + 'static>(
        mut self,
        make: impl Fn(&[u32]) -> P + Send + Sync + 'static,
    ) -> Self {
        self.logits_processor
            .push(PerPrompt::<dyn LogitsProcessor>::new(move |prompt| Box::new(make(prompt))));
        self
    }

    /// The same with one more stopping rule, which is made from the tokens of a prompt.
    #[must_use]
    pub fn with_stopping_rule<R: StoppingRule + 'static>(
        mut self,
        make: impl Fn(&[u32]) -> R + Send + Sync + 'static,
    ) -> Self {
        self.stopping_criteria.push(PerPrompt::<dyn StoppingRule>::new(move |prompt| Box::new(make(prompt))));
        self
    }

    /// The same with a function that is given the tokens so far, prompt included, and answers which may follow.
    #[must_use]
    pub fn with_allowed_tokens(
        mut self,
        allowed: impl Fn(&[u32]) -> Vec<u32> + Send + Sync + 'static,
    ) -> Self {
        let allowed = Arc::new(allowed);
        self.prefix_allowed_tokens_fn = Some(PerPrompt::new(move |_| {
            let allowed = Arc::clone(&allowed);
            Box::new(PrefixConstrainedLogitsProcessor::new(move |tokens| allowed(tokens)))
        }));
        self
    }

    /// What [`processors`](crate::processors) takes of them for a prompt that a model without an encoder reads.
    pub fn processor_inputs<'a>(&self, prompt: &'a [u32]) -> ProcessorInputs<'a> {
        ProcessorInputs {
            encoder_input_ids: Some(prompt),
            prefix_allowed_tokens: self
                .prefix_allowed_tokens_fn
                .as_ref()
                .map(|function| *function.make(prompt)),
            custom: self.logits_processor.iter().map(|processor| processor.make(prompt)).collect(),
        }
    }

    /// What [`stopping_rules`](crate::stopping_rules) takes of them.
    pub fn stopping_rules(&self, prompt: &[u32]) -> Vec<Box<dyn StoppingRule>> {
        self.stopping_criteria.iter().map(|rule| rule.make(prompt)).collect()
    }
}
