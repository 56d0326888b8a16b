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
}

impl Prompt {
    /// These ids, cut to `length`.
    pub fn from_ids(mut ids: Vec<u32>, length: usize) -> Self {
        ids.truncate(length);
        Self { ids, text: String::new() }
    }

    /// The ids: begin of sequence, text, newline, cut to the model's prompt length.
    pub fn ids(&self) -> &[u32] {
        &self.ids
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
        ids.truncate(self.length);
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            return Err(Error::Prompt(format!(
                "tokenizer.json yields id {id}, the model's vocabulary has {} entries",
                self.vocabulary
            )));
        }
        Ok(Prompt { ids, text: text.to_string() })
    }
}
