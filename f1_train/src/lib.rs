//! The three-stage recipe, tokenizer training and the paper's measurements.
