//! The checked-in types are what the generator writes.

use std::path::Path;

#[test]
fn the_checked_in_types_are_up_to_date() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let interfaces =
        f1_interfaces_gen::read(&[&here.join("definitions")], &[&here.join("../f1_msgs")]).unwrap();
    let files = f1_interfaces_gen::generate(&interfaces).unwrap();
    let folder = here.join("src/generated");
    for (name, text) in &files {
        let found = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            found == *text,
            "{name} is out of date: run `cargo run --release -p f1_interfaces_gen`"
        );
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), files.len());
}
