//! The name of a node in the graph.

/// A node's namespace (absolute, `/` for the root) and base name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeName {
    /// `/` or `/f1`.
    pub namespace: String,
    /// `action`.
    pub name: String,
}

impl NodeName {
    /// From both parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> NodeName {
        NodeName { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for NodeName {
    /// The absolute name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace.trim_end_matches('/'), self.name)
    }
}
