//! The page of parameters: one table for each node, written from the declarations.

use std::fmt::Write as _;

use super::store::Parameters;

/// Renders the declared parameters of `nodes` as Markdown.
pub fn markdown(nodes: &[Parameters]) -> String {
    let mut page = String::new();
    for parameters in nodes {
        // Writing to a String cannot fail.
        let _ =
            writeln!(page, "## `{}`\n", parameters.node().rsplit('/').next().unwrap_or_default());
        page.push_str(
            "| parameter | type | default | allowed | description |\n|---|---|---|---|---|\n",
        );
        parameters.for_each(|name, entry| {
            let description = entry.descriptor.description.replace('|', "\\|").replace('\n', " ");
            let fixed = if entry.descriptor.read_only { " Set at start only." } else { "" };
            let _ = writeln!(
                page,
                "| `{name}` | {} | `{}` | {} | {description}{fixed} |",
                entry.kind,
                entry.default.to_string().replace('|', "\\|"),
                entry.descriptor.constraint().replace('|', "\\|"),
            );
        });
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Descriptor;

    #[test]
    fn the_page_shows_the_default_even_if_a_file_sets_another_value() {
        let parameters = Parameters::new(
            "/f1/action",
            vec![("rate".into(), crate::parameters::Value::Double(3.0))],
        );
        parameters
            .declare("rate", 10.0, Descriptor::new("Rate in Hz.").doubles(1.0, 100.0).read_only())
            .unwrap();
        let page = markdown(&[parameters]);
        assert!(page.starts_with("## `action`\n"));
        assert!(
            page.contains(
                "| `rate` | double | `10.0` | 1.0 to 100.0 | Rate in Hz. Set at start only. |"
            ),
            "{page}"
        );
    }
}
