//! The instruction as tokens, with a small tokenizer whose pieces are of the kind in PaliGemma's
//! file.

use std::path::Path;

use f1_model::PromptEncoder;
use serde_json::{Value, json};

const BOS: u32 = 2;
const UNKNOWN: u32 = 3;
const NEWLINE: u32 = 4;

/// `<pad> <eos> <bos> <unk>`, a newline, letters, and the pieces `pi`, `pick`, `▁up`; spaces become
/// `▁`.
fn tokenizer() -> Value {
    let mut pieces =
        vec!["<pad>", "<eos>", "<bos>", "<unk>", "\n", "▁", "p", "i", "c", "k", "u", "e"];
    pieces.extend(["pi", "ck", "pick", "up", "▁up"]);
    let vocabulary: serde_json::Map<String, Value> =
        pieces.iter().enumerate().map(|(id, piece)| ((*piece).to_string(), json!(id))).collect();
    let special = |id: u32, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    json!({
        "version": "1.0",
        // The model was not trained with these settings: they must be ignored.
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 30}, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0,
                    "pad_type_id": 0, "pad_token": "<pad>"},
        "added_tokens": [special(0, "<pad>"), special(1, "<eos>"), special(2, "<bos>"), special(3, "<unk>")],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing", "single": [
            {"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "<eos>", "type_id": 0}}], "pair": [],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]},
                               "<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}}},
        "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocabulary,
                  "merges": ["p i", "c k", "pi ck", "u p", "▁ up"]}
    })
}

fn written(folder: &Path, tokenizer: &Value) -> std::path::PathBuf {
    let file = folder.join("tokenizer.json");
    std::fs::write(&file, tokenizer.to_string()).expect("written");
    file
}

#[test]
fn a_prompt_is_the_start_the_text_and_a_newline() {
    let folder = tempfile::tempdir().expect("a folder");
    let encoder =
        PromptEncoder::load(&written(folder.path(), &tokenizer()), 48, 512).expect("loads");
    let ids = |text: &str| encoder.encode(text).expect("encodes").ids().to_vec();
    assert_eq!(ids("pick up"), [BOS, 14, 16, NEWLINE]);
    assert_eq!(ids("pick up\n"), [BOS, 14, 16, NEWLINE], "a newline that is there is not doubled");
    assert_eq!(ids(""), [BOS, NEWLINE]);
    assert_eq!(ids("pick  up"), [BOS, 14, 5, 16, NEWLINE], "spaces stay as given");
    assert_eq!(ids("pZk"), [BOS, 6, UNKNOWN, 9, NEWLINE]);
    assert_eq!(encoder.encode("pick up").expect("encodes").text(), "pick up");
}

#[test]
fn a_long_prompt_is_cut_at_the_models_length_and_loses_its_newline() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), &tokenizer());
    let encoder = PromptEncoder::load(&file, 4, 512).expect("loads");
    assert_eq!(encoder.encode("pick up").expect("encodes").ids(), [BOS, 14, 16, NEWLINE]);
    assert_eq!(encoder.encode("pick up up up").expect("encodes").ids(), [BOS, 14, 16, 16]);
    assert_eq!(
        PromptEncoder::load(&file, 1, 512).expect("loads").encode("pick").expect("encodes").ids(),
        [BOS]
    );
}

#[test]
fn a_tokenizer_that_does_not_fit_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = written(folder.path(), &tokenizer());
    let narrow = PromptEncoder::load(&file, 48, 16).expect("loads");
    assert_eq!(narrow.encode("pick").expect("encodes").ids(), [BOS, 14, NEWLINE]);
    let error = narrow.encode("pick up").expect_err("id 16").to_string();
    assert!(error.contains("id 16") && error.contains("16 entries"), "{error}");

    let said = |path: &Path, what: &str| {
        let error = PromptEncoder::load(path, 48, 512).err().expect("refused").to_string();
        assert!(error.contains(what) && error.contains("tokenizer.json"), "{error}");
    };
    std::fs::write(&file, "{\"version\": ").expect("written");
    said(&file, &file.display().to_string());
    std::fs::remove_file(&file).expect("removed");
    said(&file, "paligemma-3b-pt-224");
}
