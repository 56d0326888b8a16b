//! The page of parameters is written from the declarations.

use std::path::Path;

#[test]
fn the_parameter_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/parameters.md");
    let page = f1_policy_node::run::parameter_page().unwrap();
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == stored,
        "write it anew: f1_policy_node --print-parameters > docs/parameters.md"
    );
}
