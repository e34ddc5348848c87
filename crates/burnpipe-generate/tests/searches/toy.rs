//! The toy language model of `tests/goldens/generation/searches.py` and `contrastive.py`, and what is set up around it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burnpipe_core::{Error, ErrorKind, Result};
use burnpipe_generate::{
    Event, Generated, GenerationConfig, LanguageModel, LogitsProcessor, ModelRow, RowScores, Search,
    SearchContext, SearchRunner, StoppingRule, search,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Deserialize)]
pub(crate) struct Tables {
    pub(crate) last: Vec<Vec<f32>>,
    pub(crate) previous: Vec<Vec<f32>>,
    hidden: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) prompt: Vec<u32>,
    pub(crate) parameters: Value,
    #[serde(default)]
    pub(crate) count_penalty: f32,
    pub(crate) stop_pair: Option<Vec<u32>>,
    #[serde(default)]
    pub(crate) assistant: bool,
    pub(crate) negative: Option<Vec<u32>>,
    /// How many of the prompt's tokens are padding.
    #[serde(default)]
    pub(crate) padding: usize,
    /// Whether scores are returned.
    #[serde(default)]
    pub(crate) steps: bool,
    /// Whether the logits are looked up by the last token alone.
    #[serde(default)]
    pub(crate) memoryless: bool,
    pub(crate) sequences: Vec<Vec<u32>>,
    pub(crate) sequences_scores: Option<Vec<f32>>,
    pub(crate) scores: Option<Vec<Vec<Vec<f32>>>>,
    pub(crate) logits: Option<Vec<Vec<Vec<f32>>>>,
    pub(crate) beam_indices: Option<Vec<Vec<usize>>>,
    pub(crate) beam_scores: Option<Vec<Vec<Vec<f32>>>>,
    pub(crate) beam_logits: Option<Vec<Vec<Vec<f32>>>>,
    /// Passes of the model and of the assistant, and tokens that the model ran.
    pub(crate) passes: Option<[usize; 3]>,
}

#[derive(Deserialize)]
pub(crate) struct Goldens {
    pub(crate) model: Tables,
    pub(crate) assistant: Tables,
    pub(crate) cases: Vec<Case>,
    pub(crate) sampling: Vec<Drawn>,
}

/// What the first token is drawn by.
#[derive(Deserialize)]
pub(crate) struct Drawn {
    pub(crate) prompt: Vec<u32>,
    pub(crate) parameters: Value,
    pub(crate) probabilities: Vec<f64>,
}

pub(crate) fn goldens() -> Goldens {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/goldens/generation");
    let read = |file: &str| fs::read(folder.join(file)).unwrap();
    let mut goldens: Goldens = serde_json::from_slice(&read("searches.json")).unwrap();
    let contrastive: Vec<Case> = serde_json::from_slice(&read("contrastive.json")).unwrap();
    goldens.cases.extend(contrastive);
    goldens
}

impl Goldens {
    /// The models that a case runs on.
    pub(crate) fn models(&self, case: &Case) -> (Toy, Toy) {
        let mut model = Toy::new(&self.model);
        model.memoryless = case.memoryless;
        (model, Toy::new(&self.assistant))
    }
}

/// A model whose cache is the tokens, and whose logits are looked up by the last two of them.
pub(crate) struct Toy {
    tables: Tables,
    rows: Vec<Vec<u32>>,
    memoryless: bool,
    /// A token that the model cannot take.
    pub(crate) refused: Option<u32>,
    /// A token after which the logits are not numbers.
    pub(crate) broken: Option<u32>,
    /// The lengths of a prompt and of the negative prompt after which the second half of the rows must say the
    /// same as the first half after the prompt.
    pub(crate) twins: Option<[usize; 2]>,
    /// The rows of every pass that had tokens.
    pub(crate) passes: Vec<usize>,
    /// How many tokens it ran.
    pub(crate) tokens: usize,
}

impl Toy {
    pub(crate) fn new(tables: &Tables) -> Self {
        Self {
            tables: tables.clone(),
            rows: Vec::new(),
            memoryless: false,
            refused: None,
            broken: None,
            twins: None,
            passes: Vec::new(),
            tokens: 0,
        }
    }

    fn logits(&self, tokens: &[u32]) -> Vec<f32> {
        let (last, earlier) = ends(tokens);
        let mut logits = self.tables.last[last].clone();
        if let Some(earlier) = earlier.filter(|_| !self.memoryless) {
            logits.iter_mut().zip(&self.tables.previous[earlier]).for_each(|(logit, more)| *logit += more);
        }
        if self.broken == Some(last as u32) { vec![f32::NAN; logits.len()] } else { logits }
    }

    fn hidden(&self, tokens: &[u32]) -> Vec<f32> {
        let (last, earlier) = ends(tokens);
        let mut hidden = self.tables.hidden[last].clone();
        if let Some(earlier) = earlier {
            hidden
                .iter_mut()
                .zip(&self.tables.hidden[earlier])
                .for_each(|(value, more)| *value += more * 0.5);
        }
        hidden
    }
}

fn ends(tokens: &[u32]) -> (usize, Option<usize>) {
    let mut from_the_end = tokens.iter().rev().map(|token| *token as usize);
    (from_the_end.next().unwrap(), from_the_end.next())
}

impl LanguageModel for Toy {
    fn vocabulary(&self) -> usize {
        self.tables.last.len()
    }

    fn run(&mut self, rows: &[ModelRow<'_>]) -> Result<Vec<RowScores>> {
        let mut all = Vec::new();
        let mut scores = Vec::new();
        for row in rows {
            let mut tokens = row.parent.map_or_else(Vec::new, |parent| self.rows[parent].clone());
            tokens.truncate(row.keep.unwrap_or(tokens.len()));
            assert!(row.keep.is_none_or(|keep| keep == tokens.len()), "more is kept than there is");
            tokens.extend(row.tokens);
            assert!(row.scored.max(row.hidden_states) <= row.tokens.len() && !tokens.is_empty());
            if row.tokens.iter().any(|token| self.refused == Some(*token)) {
                return Err(Error::new(ErrorKind::Input, "the toy refuses a token"));
            }
            let ends = |count: usize| tokens.len() - count + 1..=tokens.len();
            scores.push(RowScores {
                logits: ends(row.scored).map(|end| self.logits(&tokens[..end])).collect(),
                hidden_states: ends(row.hidden_states).map(|end| self.hidden(&tokens[..end])).collect(),
                unconditional: Vec::new(),
            });
            all.push(tokens);
        }
        if let Some([prompt, negative]) = self.twins {
            let (rows, twins) = all.split_at(all.len() / 2);
            assert_eq!(rows.len(), twins.len());
            rows.iter().zip(twins).for_each(|(row, twin)| assert_eq!(row[prompt..], twin[negative..]));
        }
        self.rows = all;
        self.tokens += rows.iter().map(|row| row.tokens.len()).sum::<usize>();
        self.passes.push(rows.iter().filter(|row| !row.tokens.is_empty()).count());
        Ok(scores)
    }
}

/// Takes a penalty off a token's score for every time that it is in the row.
struct CountPenalty(f32);

impl LogitsProcessor for CountPenalty {
    fn process(&self, tokens: &[u32], scores: &mut [f32]) -> Result<()> {
        let mut counts = vec![0.0; scores.len()];
        tokens.iter().for_each(|token| counts[*token as usize] += 1.0);
        scores.iter_mut().zip(counts).for_each(|(score, count)| *score -= self.0 * count);
        Ok(())
    }
}

/// Ends a row with two tokens, one after the other.
struct StopPair(Vec<u32>);

impl StoppingRule for StopPair {
    fn stops(&self, tokens: &[u32]) -> bool {
        tokens.ends_with(&self.0)
    }
}

impl Case {
    pub(crate) fn has(&self, parameter: &str) -> bool {
        self.parameters.get(parameter).is_some()
    }

    pub(crate) fn method(&self) -> &'static str {
        let beams = self.parameters.get("num_beams").is_some();
        match () {
            () if self.has("force_words_ids") => "constrained",
            () if self.has("num_beam_groups") => "groups",
            () if self.has("penalty_alpha") => "contrastive",
            () if self.has("guidance_scale") => "guided",
            () if self.has("prompt_lookup_num_tokens") => "lookup",
            () if self.assistant => "assisted",
            () if beams => "beams",
            () => "greedy",
        }
    }

    pub(crate) fn config(&self) -> GenerationConfig {
        let mut config: GenerationConfig = serde_json::from_value(self.parameters.clone()).unwrap();
        config.output_scores = self.steps;
        config
    }

    pub(crate) fn search(&self, config: &GenerationConfig, input: usize) -> Result<Box<dyn Search>> {
        let mut processors: Vec<Box<dyn LogitsProcessor>> = Vec::new();
        if self.count_penalty != 0.0 {
            processors.push(Box::new(CountPenalty(self.count_penalty)));
        }
        let mut stopping: Vec<Box<dyn StoppingRule>> = Vec::new();
        if let Some(pair) = &self.stop_pair {
            stopping.push(Box::new(StopPair(pair.clone())));
        }
        let context = SearchContext {
            input,
            assistant: self.assistant,
            negative_prompt: self.negative.clone(),
            padding: self.padding,
        };
        search(config, self.prompt.clone(), processors, stopping, &context)
    }
}

/// Runs all that is open to its end: the streamed tokens and what was made, by id.
pub(crate) fn drain(runner: &mut SearchRunner<'_>) -> Vec<(usize, Vec<u32>, Result<Generated>)> {
    let mut streamed: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut done = Vec::new();
    while runner.open() > 0 {
        for (id, event) in runner.step() {
            let mine = streamed.entry(id).or_default();
            match event {
                Event::Tokens(tokens) => mine.extend(tokens),
                Event::Finished(result) => done.push((id, std::mem::take(mine), result)),
            }
        }
    }
    done.sort_by_key(|(id, ..)| *id);
    done
}

/// A case of no golden.
pub(crate) fn case(prompt: &[u32], parameters: Value) -> Case {
    serde_json::from_value(json!({"prompt": prompt, "parameters": parameters, "sequences": []})).unwrap()
}

/// What a case answers when nothing runs beside it.
pub(crate) fn alone(goldens: &Goldens, case: &Case, config: &GenerationConfig, input: usize) -> Generated {
    let (mut model, mut assistant) = goldens.models(case);
    let mut runner = SearchRunner::new(&mut model).with_assistant(&mut assistant);
    runner.push(input, case.search(config, input).unwrap());
    drain(&mut runner).remove(0).2.unwrap()
}
