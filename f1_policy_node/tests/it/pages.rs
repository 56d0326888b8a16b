//! Pages of the documentation that are written from the code.

use std::path::Path;

/// Holds a page against what the code writes.
fn is_up_to_date(name: &str, option: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    if page != stored {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&fresh, page).unwrap();
        panic!(
            "write it anew: f1_policy_node {option} > docs/{name} (it is in {})",
            fresh.display()
        );
    }
}

#[test]
fn the_page_of_parameters_is_up_to_date() {
    let page = f1_policy_node::run::parameter_page().unwrap();
    is_up_to_date("parameters.md", "--print-parameters", &page);
}

#[test]
fn the_page_of_topics_is_up_to_date() {
    is_up_to_date("topics.md", "--print-topics", &f1_policy_node::topics::page());
}
