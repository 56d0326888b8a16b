//! Tables of the documentation that are written from the code.

use std::path::PathBuf;

use f1_robot::safety::parameter_table;

const BEGIN: &str = "<!-- parameters: ";
const END: &str = "<!-- end of parameters -->";

#[test]
fn the_documentation_of_the_filter_s_parameters_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/safety.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let begin = page.find(BEGIN).unwrap();
    let begin = begin + page[begin..].find('\n').unwrap() + 1;
    let end = page.find(END).unwrap();
    let table = parameter_table();
    if std::env::var_os("F1_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{}{table}{}", &page[..begin], &page[end..])).unwrap();
        return;
    }
    assert!(
        page[begin..end] == table,
        "write it anew: F1_WRITE_DOCS=1 cargo test -p f1_robot documentation"
    );
}
