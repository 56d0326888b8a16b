//! Type descriptions and their hashes (REP 2016, version `RIHS01`).
//!
//! The hash is SHA-256 over a JSON text of the type's fields and of every type it refers to,
//! written as Python's `json.dumps` writes it (`", "` and `": "` between items). Defaults,
//! constants and comments are not in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::model::{Element, Field, Interface, Interfaces, Kind, Name, Primitive, Shape};

/// One member of a described type.
#[derive(Clone, Debug)]
struct Member {
    name: String,
    element: Element,
    shape: Shape,
}

/// Every structure that rosidl knows for the interfaces, with the ones that it derives from
/// services and actions (`_Event`, `_SendGoal_Request`, `_FeedbackMessage`, ...).
#[derive(Debug)]
pub struct Descriptions {
    types: BTreeMap<String, Vec<Member>>,
}

impl Descriptions {
    /// Describes all interfaces.
    pub fn new(interfaces: &Interfaces) -> Descriptions {
        let mut types = BTreeMap::new();
        for interface in interfaces.values() {
            for structure in interface.structures() {
                let members = structure.fields.iter().map(Member::from).collect();
                types.insert(structure.name.full(), members);
            }
            match interface {
                Interface::Message(_) => {}
                Interface::Service { name, .. } => service(&mut types, name),
                Interface::Action { name, .. } => action(&mut types, name),
            }
        }
        Descriptions { types }
    }

    /// `RIHS01_` and 64 hexadecimal digits; none when the type, or one that it refers to, is not
    /// known.
    pub fn hash(&self, full_name: &str) -> Option<String> {
        let mut json = String::from("{\"type_description\": ");
        self.describe(&mut json, full_name)?;
        json.push_str(", \"referenced_type_descriptions\": [");
        let mut referenced = BTreeMap::new();
        self.collect(full_name, &mut referenced)?;
        for (index, name) in referenced.keys().enumerate() {
            if index > 0 {
                json.push_str(", ");
            }
            self.describe(&mut json, name)?;
        }
        json.push_str("]}");
        let digest = Sha256::digest(json.as_bytes());
        let mut hash = String::from("RIHS01_");
        for byte in digest {
            let _ = write!(hash, "{byte:02x}");
        }
        Some(hash)
    }

    fn collect(&self, full_name: &str, found: &mut BTreeMap<String, ()>) -> Option<()> {
        for member in self.types.get(full_name)? {
            if let Element::Nested(name) = &member.element {
                let name = name.full();
                if found.insert(name.clone(), ()).is_none() {
                    self.collect(&name, found)?;
                }
            }
        }
        Some(())
    }

    fn describe(&self, json: &mut String, full_name: &str) -> Option<()> {
        let _ = write!(json, "{{\"type_name\": \"{full_name}\", \"fields\": [");
        for (index, member) in self.types.get(full_name)?.iter().enumerate() {
            if index > 0 {
                json.push_str(", ");
            }
            let (base, string_capacity, nested) = match &member.element {
                Element::Primitive(primitive) => (primitive_id(*primitive), 0, String::new()),
                Element::String { bound: None } => (17, 0, String::new()),
                Element::String { bound: Some(bound) } => (21, *bound, String::new()),
                Element::Nested(name) => (1, 0, name.full()),
            };
            let (offset, capacity) = match member.shape {
                Shape::Single => (0, 0),
                Shape::Array(size) => (48, size),
                Shape::BoundedSequence(size) => (96, size),
                Shape::Sequence => (144, 0),
            };
            let _ = write!(
                json,
                "{{\"name\": \"{}\", \"type\": {{\"type_id\": {}, \"capacity\": {capacity}, \
                 \"string_capacity\": {string_capacity}, \"nested_type_name\": \"{nested}\"}}}}",
                member.name,
                base + offset,
            );
        }
        json.push_str("]}");
        Some(())
    }
}

impl From<&Field> for Member {
    fn from(field: &Field) -> Member {
        Member { name: field.name.clone(), element: field.element.clone(), shape: field.shape }
    }
}

/// The numbers of `type_description_interfaces/msg/FieldType`.
fn primitive_id(primitive: Primitive) -> u32 {
    match primitive {
        Primitive::Int8 => 2,
        Primitive::Uint8 => 3,
        Primitive::Int16 => 4,
        Primitive::Uint16 => 5,
        Primitive::Int32 => 6,
        Primitive::Uint32 => 7,
        Primitive::Int64 => 8,
        Primitive::Uint64 => 9,
        Primitive::Float32 => 10,
        Primitive::Float64 => 11,
        Primitive::Bool => 15,
        Primitive::Byte => 16,
    }
}

fn nested(member: &str, name: Name, shape: Shape) -> Member {
    Member { name: member.to_owned(), element: Element::Nested(name), shape }
}

fn suffixed(name: &Name, suffix: &str) -> Name {
    Name::new(&name.package, name.kind, &format!("{}{suffix}", name.name))
}

/// The service itself and its introspection event.
fn service(types: &mut BTreeMap<String, Vec<Member>>, name: &Name) {
    let request = suffixed(name, "_Request");
    let response = suffixed(name, "_Response");
    let event = suffixed(name, "_Event");
    let info = Name::new("service_msgs", Kind::Msg, "ServiceEventInfo");
    types.insert(
        event.full(),
        vec![
            nested("info", info, Shape::Single),
            nested("request", request.clone(), Shape::BoundedSequence(1)),
            nested("response", response.clone(), Shape::BoundedSequence(1)),
        ],
    );
    types.insert(
        name.full(),
        vec![
            nested("request_message", request, Shape::Single),
            nested("response_message", response, Shape::Single),
            nested("event_message", event, Shape::Single),
        ],
    );
}

/// The action itself, its two services and its feedback message.
fn action(types: &mut BTreeMap<String, Vec<Member>>, name: &Name) {
    let uuid = || {
        let uuid = Name::new("unique_identifier_msgs", Kind::Msg, "UUID");
        nested("goal_id", uuid, Shape::Single)
    };
    let number = |member: &str, primitive| Member {
        name: member.to_owned(),
        element: Element::Primitive(primitive),
        shape: Shape::Single,
    };
    let part = |member: &str, suffix: &str| nested(member, suffixed(name, suffix), Shape::Single);
    let time = Name::new("builtin_interfaces", Kind::Msg, "Time");
    let mut add = |suffix: &str, members| types.insert(suffixed(name, suffix).full(), members);
    add("_SendGoal_Request", vec![uuid(), part("goal", "_Goal")]);
    add(
        "_SendGoal_Response",
        vec![number("accepted", Primitive::Bool), nested("stamp", time, Shape::Single)],
    );
    add("_GetResult_Request", vec![uuid()]);
    add("_GetResult_Response", vec![number("status", Primitive::Int8), part("result", "_Result")]);
    add("_FeedbackMessage", vec![uuid(), part("feedback", "_Feedback")]);
    add(
        "",
        vec![
            part("goal", "_Goal"),
            part("result", "_Result"),
            part("feedback", "_Feedback"),
            part("send_goal_service", "_SendGoal"),
            part("get_result_service", "_GetResult"),
            part("feedback_message", "_FeedbackMessage"),
        ],
    );
    service(types, &suffixed(name, "_SendGoal"));
    service(types, &suffixed(name, "_GetResult"));
}
