//! ROS 2 names: what is allowed, how a relative or private name becomes an absolute one, and
//! remapping.
//!
//! Source: ROS 2 design document "Topic and Service name mapping to DDS" and rcl's
//! `expand_topic_name`.

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid name {name:?}: {reason}")]
pub struct NameError {
    /// The name as given.
    pub name: String,
    /// The rule it breaks.
    pub reason: String,
}

fn refuse<T>(name: &str, reason: impl Into<String>) -> Result<T, NameError> {
    Err(NameError { name: name.to_owned(), reason: reason.into() })
}

/// Checks a node's base name: letters, digits and `_`, not starting with a digit, at most 255
/// bytes.
pub fn check_node_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return refuse(name, "a node name must not be empty");
    }
    if name.len() > 255 {
        return refuse(name, "a node name has at most 255 characters");
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        return refuse(
            name,
            format!("a node name has letters, digits and underscores only, not {bad:?}"),
        );
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return refuse(name, "a node name must not start with a digit");
    }
    Ok(())
}

/// Makes a namespace absolute (`""` and `"/"` are the root, `"f1"` is `/f1`) and checks each part.
pub fn absolute_namespace(namespace: &str) -> Result<String, NameError> {
    let trimmed = namespace.strip_prefix('/').unwrap_or(namespace);
    if trimmed.is_empty() {
        return Ok("/".to_owned());
    }
    check_tokens(namespace, trimmed)?;
    Ok(format!("/{trimmed}"))
}

/// Joins an absolute namespace and a base name.
pub fn join(namespace: &str, name: &str) -> String {
    if namespace == "/" { format!("/{name}") } else { format!("{namespace}/{name}") }
}

fn check_tokens(whole: &str, path: &str) -> Result<(), NameError> {
    if path.ends_with('/') {
        return refuse(whole, "a name must not end with a slash");
    }
    for token in path.split('/') {
        if token.is_empty() {
            return refuse(whole, "a name must not contain two slashes in a row");
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            return refuse(whole, format!("{token:?} must not start with a digit"));
        }
        if let Some(bad) = token.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
            return refuse(
                whole,
                format!("{bad:?} is not allowed; use letters, digits and underscores"),
            );
        }
        if token.contains("__") {
            return refuse(whole, "two underscores in a row are reserved");
        }
    }
    Ok(())
}

/// Turns a topic or service name into its absolute form for the node `name` in `namespace`
/// (absolute).
///
/// `/a/b` stays; `a/b` gets the namespace; `~/a` and `~` get namespace and node name; `{node}`,
/// `{ns}` and `{namespace}` are substituted.
pub fn expand(name: &str, namespace: &str, node: &str) -> Result<String, NameError> {
    if name.is_empty() {
        return refuse(name, "a name must not be empty");
    }
    let mut expanded = String::with_capacity(name.len() + namespace.len());
    let mut rest = name;
    while let Some(start) = rest.find('{') {
        let Some(length) = rest[start..].find('}') else {
            return refuse(name, "a curly brace is not closed");
        };
        expanded.push_str(&rest[..start]);
        match &rest[start + 1..start + length] {
            "node" => expanded.push_str(node),
            "ns" | "namespace" => expanded.push_str(namespace.trim_end_matches('/')),
            other => return refuse(name, format!("unknown substitution {{{other}}}")),
        }
        rest = &rest[start + length + 1..];
    }
    expanded.push_str(rest);
    let absolute = if let Some(private) = expanded.strip_prefix('~') {
        let own = join(namespace, node);
        match private.strip_prefix('/') {
            Some(private) => format!("{own}/{private}"),
            None if private.is_empty() => own,
            None => return refuse(name, "a tilde must be followed by a slash"),
        }
    } else if expanded.starts_with('/') {
        expanded
    } else {
        join(namespace, &expanded)
    };
    let path = absolute.strip_prefix('/').unwrap_or(&absolute);
    // Hidden names of the action protocol (`/_action/`) begin with one underscore and are allowed.
    check_tokens(name, path)?;
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_expand_as_in_rcl() {
        for (name, expected) in [
            ("chatter", "/f1/chatter"),
            ("/chatter", "/chatter"),
            ("~/chatter", "/f1/action/chatter"),
            ("~", "/f1/action"),
            ("a/b", "/f1/a/b"),
            ("{node}/b", "/f1/action/b"),
            ("{ns}/b", "/f1/b"),
            ("execute_task/_action/send_goal", "/f1/execute_task/_action/send_goal"),
        ] {
            assert_eq!(expand(name, "/f1", "action").unwrap(), expected, "{name}");
        }
        assert_eq!(expand("chatter", "/", "n").unwrap(), "/chatter");
        assert_eq!(expand("~/a", "/", "n").unwrap(), "/n/a");
    }

    #[test]
    fn names_that_ros_does_not_allow_are_refused() {
        for name in
            ["", "a/", "a//b", "1a", "a/1b", "a b", "a-b", "~a", "{nod}/b", "{node", "a__b", "ä"]
        {
            assert!(expand(name, "/", "n").is_err(), "{name}");
        }
        for name in ["", "1a", "a/b", "a-b", "é"] {
            assert!(check_node_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn namespaces_become_absolute() {
        assert_eq!(absolute_namespace("").unwrap(), "/");
        assert_eq!(absolute_namespace("/").unwrap(), "/");
        assert_eq!(absolute_namespace("f1").unwrap(), "/f1");
        assert_eq!(absolute_namespace("/a/b").unwrap(), "/a/b");
        assert!(absolute_namespace("/a/").is_err());
        assert!(absolute_namespace("//a").is_err());
    }
}
