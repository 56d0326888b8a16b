//! The ROS packages declare what their build uses.

use std::collections::BTreeSet;

use f1_tests::documents::root;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The contents of all elements `<tag ...>...</tag>`, whatever their attributes.
fn elements(xml: &str, tag: &str) -> BTreeSet<String> {
    let opening = format!("<{tag}");
    let mut found = BTreeSet::new();
    for part in xml.split(opening.as_str()).skip(1) {
        if part.starts_with([' ', '>'])
            && let Some((_, rest)) = part.split_once('>')
            && let Some((content, _)) = rest.split_once("</")
        {
            found.insert(content.trim().to_owned());
        }
    }
    found
}

/// The words between `start` and the next `)`.
fn arguments(cmake: &str, start: &str) -> Vec<String> {
    let rest = cmake.split_once(start).unwrap_or_else(|| panic!("no {start}")).1;
    rest.split_once(')').unwrap().0.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn package_xml_declares_every_interface_package_of_cmake() {
    let declared = elements(&read("package.xml"), "depend");
    let used = arguments(&read("CMakeLists.txt"), "set(interfaces ");
    assert!(used.len() > 10, "{used:?}");
    let missing: Vec<_> = used.iter().filter(|name| !declared.contains(*name)).collect();
    assert!(missing.is_empty(), "package.xml does not declare {missing:?}");
}

#[test]
fn package_xml_declares_every_package_that_cmake_finds() {
    for folder in ["", "f1_msgs/"] {
        let xml = read(&format!("{folder}package.xml"));
        let declared: BTreeSet<_> = ["depend", "buildtool_depend", "build_depend", "test_depend"]
            .iter()
            .flat_map(|tag| elements(&xml, tag))
            .collect();
        let cmake = read(&format!("{folder}CMakeLists.txt"));
        let found =
            cmake.split("find_package(").skip(1).filter_map(|rest| rest.split([' ', ')']).next());
        for name in found {
            assert!(declared.contains(name), "{folder}package.xml does not declare {name}");
        }
    }
}

#[test]
fn the_packages_have_one_maintainer() {
    let mail = |path: &str| {
        let text = read(path);
        let rest = text.split_once("<maintainer email=\"").unwrap().1.to_owned();
        rest.split_once('"').unwrap().0.to_owned()
    };
    assert_eq!(mail("package.xml"), mail("f1_msgs/package.xml"));
    let address = format!("<{}>", mail("package.xml"));
    assert!(read("f1_cli/Cargo.toml").contains(&address), "f1_cli/Cargo.toml");
    assert!(read("SECURITY.md").contains(&address), "SECURITY.md");
}
