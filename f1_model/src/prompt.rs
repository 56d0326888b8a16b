//! The instruction as tokens.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::{Error, Result};

/// Begin-of-sequence id of PaliGemma.
const BOS: u32 = 2;

/// Token ids of one instruction, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    ids: Vec<u32>,
    text: String,
    /// Ids that were cut off.
    dropped: usize,
}

impl Prompt {
    /// These ids, cut to `length`.
    pub fn from_ids(mut ids: Vec<u32>, length: usize) -> Self {
        let dropped = ids.len().saturating_sub(length);
        ids.truncate(length);
        Self { ids, text: String::new(), dropped }
    }

    /// The ids: begin of sequence, text, newline, cut to the model's prompt length.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// What was lost, as a sentence for people; `None` for a whole instruction.
    pub fn warning(&self) -> Option<String> {
        (self.dropped > 0).then(|| {
            let read = self.ids.len();
            format!(
                "the instruction \"{}\" has {} tokens and the model reads {read} \
                 (tokenizer_max_length): its end is ignored",
                self.text,
                read + self.dropped
            )
        })
    }

    /// The text; empty for a prompt from ids.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Turns instructions into prompts.
pub struct PromptEncoder {
    tokenizer: Tokenizer,
    length: usize,
    vocabulary: usize,
}

impl PromptEncoder {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// The file is missing or damaged; the message says where to get it.
    pub fn load(path: &Path, length: usize, vocabulary: usize) -> Result<Self> {
        if !path.is_file() {
            return Err(Error::Prompt(format!(
                "{} is missing: the weights do not carry the language tokenizer; copy tokenizer.json of \
                 google/paligemma-3b-pt-224 beside them",
                path.display()
            )));
        }
        let mut tokenizer = Tokenizer::from_file(path)
            .map_err(|error| Error::Prompt(format!("{}: {error}", path.display())))?;
        // Padding and truncation are done here, not as the file says.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| Error::Prompt(error.to_string()))?;
        Ok(Self { tokenizer, length, vocabulary })
    }

    /// `<bos>`, the text as given, a newline; cut to the prompt length.
    ///
    /// # Errors
    /// The tokenizer fails, or yields ids outside the model's vocabulary.
    pub fn encode(&self, text: &str) -> Result<Prompt> {
        let line = if text.ends_with('\n') { text.to_string() } else { format!("{text}\n") };
        let encoding =
            self.tokenizer.encode(line, false).map_err(|error| Error::Prompt(error.to_string()))?;
        let mut ids = vec![self.tokenizer.token_to_id("<bos>").unwrap_or(BOS)];
        ids.extend_from_slice(encoding.get_ids());
        let dropped = ids.len().saturating_sub(self.length);
        ids.truncate(self.length);
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            return Err(Error::Prompt(format!(
                "tokenizer.json yields id {id}, the model's vocabulary has {} entries",
                self.vocabulary
            )));
        }
        Ok(Prompt { ids, text: text.to_string(), dropped })
    }
}

/// The instructions of one data set as the model reads them.
#[derive(Debug, Default)]
pub struct CheckedTasks {
    /// Each instruction with its prompt, in the order given.
    pub prompts: Vec<(String, Prompt)>,
    /// What is lost of those that are too long.
    pub warnings: Vec<String>,
}

/// Encodes the instructions of one data set. That of a long one only the beginning is read, is a
/// warning; that two become equal is an error, since nothing could tell them apart.
///
/// # Errors
/// Two instructions that are equal once they are cut, with their texts, or a tokenizer's fault.
pub fn check_tasks<'a>(
    encoder: &PromptEncoder,
    tasks: impl Iterator<Item = &'a str>,
) -> Result<CheckedTasks> {
    let mut checked = CheckedTasks::default();
    for task in tasks {
        if checked.prompts.iter().any(|(known, _)| known == task) {
            continue;
        }
        let prompt = encoder.encode(task)?;
        let cut = prompt.dropped > 0;
        let same =
            |(_, other): &&(String, Prompt)| other.ids == prompt.ids && (cut || other.dropped > 0);
        if let Some((other, _)) = checked.prompts.iter().find(same) {
            return Err(Error::Prompt(format!(
                "\"{other}\" and \"{task}\" are equal within the {} tokens that the model reads \
                 (tokenizer_max_length): shorten them, or use a model that reads more",
                prompt.ids.len()
            )));
        }
        checked.warnings.extend(prompt.warning());
        checked.prompts.push((task.to_string(), prompt));
    }
    Ok(checked)
}
