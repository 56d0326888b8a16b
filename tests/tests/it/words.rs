//! Code and documents use the field's words. This checks a short list of words that this project
//! once used instead of them; a reader from outside cannot know what they mean here.
//!
//! Where one is a term of the field, `tests/words_allowed.txt` says where and why.

use std::collections::BTreeMap;

use f1_tests::documents::{files, root};

/// A word, and what to write instead.
const WORDS: [(&str, &str); 27] = [
    ("bite", "expire"),
    ("bites", "expires"),
    ("bitten", "expired"),
    ("board", "status"),
    ("heard", "received"),
    ("inlet", "reader"),
    ("inlets", "readers"),
    ("knock", "connect"),
    ("knocks", "connects"),
    ("lane", "callback group"),
    ("lanes", "callback groups"),
    ("manners", "behaviour"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mending", "fixing"),
    ("mends", "fixes"),
    ("outlet", "writer"),
    ("outlets", "writers"),
    ("picture", "image"),
    ("pictures", "images"),
    ("rendezvous", "connection"),
    ("room", "crate, space"),
    ("rooms", "crates"),
    ("taker", "handler"),
    ("takers", "handlers"),
    ("told", "reported, informed"),
    ("whoever", "who, a peer that"),
];

/// The words of a line: identifiers are taken apart at `_` and before capital letters.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for token in line.split(|c: char| !c.is_alphabetic()).filter(|token| !token.is_empty()) {
        let mut word = String::new();
        let mut before_is_lower = false;
        for c in token.chars() {
            if c.is_uppercase() && before_is_lower {
                found.push(std::mem::take(&mut word));
            }
            before_is_lower = c.is_lowercase();
            word.extend(c.to_lowercase());
        }
        found.push(word);
    }
    found
}

struct Allowed {
    word: String,
    path: String,
}

/// Lines of `word path reason`; `path` is a file or the start of one.
fn allowed() -> Vec<Allowed> {
    let text = std::fs::read_to_string(root().join("tests/words_allowed.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.splitn(3, ' ').collect();
            assert_eq!(parts.len(), 3, "not `word path reason`: {line}");
            Allowed { word: parts[0].to_owned(), path: parts[1].to_owned() }
        })
        .collect()
}

#[test]
fn code_and_documents_use_the_words_of_the_field() {
    let allowed = allowed();
    let mut used = vec![false; allowed.len()];
    let mut faults = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for kind in ["rs", "md", "cu", "cuh", "toml", "yaml", "yml", "py", "sh", "xml", ""] {
        for path in files(&root(), kind, false).unwrap() {
            let relative = path.strip_prefix(root()).unwrap().display().to_string();
            // This list; definitions of ROS; what is not text.
            if relative.starts_with("f1_interfaces/definitions/")
                || relative == "tests/tests/it/words.rs"
            {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            for (number, line) in text.lines().enumerate() {
                for word in words(line) {
                    let Some((_, instead)) = WORDS.iter().find(|(listed, _)| *listed == word)
                    else {
                        continue;
                    };
                    let exception = allowed
                        .iter()
                        .position(|one| one.word == word && relative.starts_with(&one.path));
                    if let Some(index) = exception {
                        used[index] = true;
                        continue;
                    }
                    let folder = relative.split('/').next().unwrap_or_default().to_owned();
                    *counts.entry(folder).or_default() += 1;
                    faults.push(format!("{relative}:{}: {word}: {instead}", number + 1));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}\nby folder: {counts:?}", faults.join("\n"));
    let stale: Vec<_> = allowed
        .iter()
        .zip(used)
        .filter(|(_, used)| !used)
        .map(|(one, _)| format!("{} {}", one.word, one.path))
        .collect();
    assert!(stale.is_empty(), "tests/words_allowed.txt allows what nothing uses: {stale:?}");
}

#[test]
fn identifiers_are_taken_apart() {
    assert_eq!(
        words("fn made_inlet(Board: TensorBoard)").join(" "),
        "fn made inlet board tensor board"
    );
}
