//! Writes the Rust text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::Error;
use crate::describe::Descriptions;
use crate::model::{
    Constant, Element, Field, Interface, Interfaces, Kind, Name, Primitive, Shape, Structure,
};

/// The package whose files stand beside the definitions folder, at the top of the repository.
const OWN_PACKAGE: &str = "f1_msgs";

/// The longest array for which the standard library and serde have `Default` and `Serialize`.
const LONGEST_PLAIN_ARRAY: u32 = 32;

/// The Rust files by name: `mod.rs` and one a package.
///
/// # Errors
/// A default or a constant that is no value of its type.
pub fn generate(interfaces: &Interfaces) -> Result<BTreeMap<String, String>, Error> {
    let descriptions = Descriptions::new(interfaces);
    let packages: BTreeSet<&str> = interfaces.keys().map(|n| n.package.as_str()).collect();
    let mut files = BTreeMap::new();
    for package in &packages {
        files.insert(format!("{package}.rs"), package_file(package, interfaces, &descriptions)?);
    }
    files.insert("mod.rs".to_owned(), root_file(&packages, interfaces));
    Ok(files)
}

const HEAD: &str = "// Written by f1_interfaces_gen from the interface files. Do not edit: run `cargo run -p f1_interfaces_gen`.\n";

fn root_file(packages: &BTreeSet<&str>, interfaces: &Interfaces) -> String {
    let mut out = format!("{HEAD}//! The packages, and lists of everything in them.\n\n");
    for package in packages {
        let _ = writeln!(out, "pub mod {package};");
    }
    let mut messages = Vec::new();
    let mut services = Vec::new();
    let mut actions = Vec::new();
    for interface in interfaces.values() {
        let name = interface.name();
        for structure in interface.structures() {
            messages.push(rust_path("$crate", &structure.name));
        }
        match interface {
            Interface::Message(_) => {}
            Interface::Service { .. } => services.push(rust_path("$crate", name)),
            Interface::Action { .. } => {
                let action = rust_path("$crate", name);
                for wrapper in [
                    "SendGoalRequest",
                    "SendGoalResponse",
                    "GetResultRequest",
                    "GetResultResponse",
                    "FeedbackMessage",
                ] {
                    messages.push(format!("$crate::action::{wrapper}<{action}>"));
                }
                actions.push(action);
            }
        }
    }
    let mut list = |word: &str, what: &str, types: &[String]| {
        let _ = write!(
            out,
            "\n/// Calls a macro with the path of every {what}, one call each.\n#[macro_export]\n\
             macro_rules! for_each_{word} {{\n    ($callback:ident) => {{\n"
        );
        for path in types {
            let _ = writeln!(out, "        $callback!({path});");
        }
        out.push_str("    };\n}\n");
    };
    list("message", "message type, the parts of services and actions included", &messages);
    list("service", "service", &services);
    list("action", "action", &actions);
    out
}

fn rust_path(root: &str, name: &Name) -> String {
    format!("{root}::{}::{}::{}", name.package, name.kind.word(), name.rust())
}

fn package_file(
    package: &str,
    interfaces: &Interfaces,
    descriptions: &Descriptions,
) -> Result<String, Error> {
    let mut out = format!("{HEAD}//! Package `{package}`.\n");
    for kind in [Kind::Msg, Kind::Srv, Kind::Action] {
        let of_kind: Vec<&Interface> = interfaces
            .values()
            .filter(|i| i.name().package == package && i.name().kind == kind)
            .collect();
        if of_kind.is_empty() {
            continue;
        }
        let what = match kind {
            Kind::Msg => "Messages",
            Kind::Srv => "Services",
            Kind::Action => "Actions",
        };
        let _ = writeln!(out, "\n/// {what} of `{package}`.\npub mod {} {{", kind.word());
        out.push_str("    use serde::{Deserialize, Serialize};\n");
        for interface in of_kind {
            let writer = Writer { interfaces, descriptions };
            for structure in interface.structures() {
                writer.structure(&mut out, structure)?;
            }
            match interface {
                Interface::Message(_) => {}
                Interface::Service { name, .. } => writer.service(&mut out, name),
                Interface::Action { name, .. } => writer.action(&mut out, name),
            }
        }
        out.push_str("}\n");
    }
    Ok(out)
}

struct Writer<'a> {
    interfaces: &'a Interfaces,
    descriptions: &'a Descriptions,
}

impl Writer<'_> {
    fn structure(&self, out: &mut String, structure: &Structure) -> Result<(), Error> {
        let name = &structure.name;
        let rust = name.rust();
        let by_hand = structure.fields.iter().any(|f| {
            f.default.is_some() || matches!(f.shape, Shape::Array(n) if n > LONGEST_PLAIN_ARRAY)
        });
        let traits = self.traits(structure);
        let mut derives = vec!["Clone", "Debug", "PartialEq", "Serialize", "Deserialize"];
        if !by_hand {
            derives.push("Default");
        }
        if traits.copy {
            derives.push("Copy");
        }
        if traits.eq {
            derives.extend(["Eq", "Hash"]);
        }
        out.push('\n');
        let _ = writeln!(out, "    /// `{}`", name.full());
        if !structure.comment.is_empty() {
            out.push_str("    ///\n");
            doc(out, "    ", &structure.comment);
        }
        let _ = writeln!(out, "    #[derive({})]", derives.join(", "));
        let _ = writeln!(out, "    pub struct {rust} {{");
        for field in &structure.fields {
            doc(out, "        ", &field.comment);
            if !field.comment.is_empty() {
                out.push_str("        ///\n");
            }
            let default =
                field.default.as_ref().map(|d| format!(", default `{d}`")).unwrap_or_default();
            let _ = writeln!(out, "        /// `{}`{default}", ros_type(field));
            if let Some(attribute) = serde_attribute(field) {
                let _ = writeln!(out, "        #[serde({attribute})]");
            }
            let _ = writeln!(out, "        pub {}: {},", identifier(&field.name), rust_type(field));
        }
        out.push_str("    }\n");
        self.constants(out, structure)?;
        if by_hand {
            default_by_hand(out, structure)?;
        }
        self.message(out, structure);
        Ok(())
    }

    fn constants(&self, out: &mut String, structure: &Structure) -> Result<(), Error> {
        if structure.constants.is_empty() {
            return Ok(());
        }
        let _ = writeln!(out, "\n    impl {} {{", structure.name.rust());
        for constant in &structure.constants {
            doc(out, "        ", &constant.comment);
            if constant.comment.is_empty() {
                let _ = writeln!(out, "        /// `{} = {}`", constant.name, constant.value);
            }
            let (rust, value) = constant_value(structure, constant)?;
            let _ = writeln!(out, "        pub const {}: {rust} = {value};", constant.name);
        }
        out.push_str("    }\n");
        Ok(())
    }

    fn message(&self, out: &mut String, structure: &Structure) {
        let name = &structure.name;
        let _ = writeln!(out, "\n    impl crate::Message for {} {{", name.rust());
        let _ = writeln!(out, "        const TYPE_NAME: &'static str = \"{}\";", name.full());
        let _ = writeln!(out, "        const DDS_TYPE_NAME: &'static str = \"{}\";", name.dds());
        let _ = writeln!(
            out,
            "        const TYPE_HASH: &'static str =\n            \"{}\";",
            self.hash(&name.full())
        );
        let _ = writeln!(
            out,
            "        const DEFINITION: &'static str = {};",
            self.definition(structure)
        );
        out.push_str("    }\n");
    }

    fn hash(&self, full_name: &str) -> String {
        // `read` has checked that every type referred to is there; only `service_msgs` is referred
        // to by rule.
        self.descriptions.hash(full_name).unwrap_or_default()
    }

    fn service(&self, out: &mut String, name: &Name) {
        let rust = name.rust();
        let _ = write!(
            out,
            "\n    /// Service `{full}`\n    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\n    \
             pub struct {rust};\n\n    impl crate::Service for {rust} {{\n        \
             type Request = {rust}Request;\n        type Response = {rust}Response;\n        \
             const TYPE_NAME: &'static str = \"{full}\";\n        \
             const TYPE_HASH: &'static str =\n            \"{hash}\";\n    }}\n",
            full = name.full(),
            hash = self.hash(&name.full()),
        );
    }

    fn action(&self, out: &mut String, name: &Name) {
        let rust = name.rust();
        let full = name.full();
        let _ = write!(
            out,
            "\n    /// Action `{full}`\n    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]\n    \
             pub struct {rust};\n\n    impl crate::Action for {rust} {{\n        \
             type Goal = {rust}Goal;\n        type Result = {rust}Result;\n        \
             type Feedback = {rust}Feedback;\n        \
             const TYPE_NAME: &'static str = \"{full}\";\n        \
             const TYPE_HASH: &'static str =\n            \"{hash}\";\n",
            hash = self.hash(&full),
        );
        for (constant, suffix) in [
            ("SEND_GOAL", "_SendGoal"),
            ("SEND_GOAL_REQUEST", "_SendGoal_Request"),
            ("SEND_GOAL_RESPONSE", "_SendGoal_Response"),
            ("GET_RESULT", "_GetResult"),
            ("GET_RESULT_REQUEST", "_GetResult_Request"),
            ("GET_RESULT_RESPONSE", "_GetResult_Response"),
            ("FEEDBACK_MESSAGE", "_FeedbackMessage"),
        ] {
            let part = Name::new(&name.package, name.kind, &format!("{}{suffix}", name.name));
            let _ = write!(
                out,
                "        const {constant}: crate::TypeInfo = crate::TypeInfo {{\n            \
                 type_name: \"{}\",\n            dds_type_name: \"{}\",\n            \
                 type_hash: \"{}\",\n        }};\n",
                part.full(),
                part.dds(),
                self.hash(&part.full()),
            );
        }
        out.push_str("    }\n");
    }

    /// The text in the form that bags and MCAP files hold: the definition, then each one that it
    /// needs.
    fn definition(&self, structure: &Structure) -> String {
        let mut needed = Vec::new();
        self.needed(structure, &mut needed);
        let mut out = String::from("concat!(\n");
        match structure.name.kind {
            Kind::Msg => {
                let _ = writeln!(out, "            {},", include(&structure.name));
            }
            _ => {
                let _ = writeln!(out, "            {:?},", structure.text);
            }
        }
        for name in needed {
            let _ = writeln!(
                out,
                "            \"{}\\nMSG: {}/{}\\n\",\n            {},",
                "=".repeat(80),
                name.package,
                name.name,
                include(&name)
            );
        }
        out.push_str("        )");
        out
    }

    fn needed(&self, structure: &Structure, found: &mut Vec<Name>) {
        for field in &structure.fields {
            if let Element::Nested(name) = &field.element
                && !found.contains(name)
            {
                found.push(name.clone());
                for nested in self.interfaces.get(name).into_iter().flat_map(|i| i.structures()) {
                    self.needed(nested, found);
                }
            }
        }
    }

    fn traits(&self, structure: &Structure) -> Traits {
        let mut traits = Traits { copy: true, eq: true };
        for field in &structure.fields {
            if matches!(field.shape, Shape::Sequence | Shape::BoundedSequence(_)) {
                traits.copy = false;
            }
            match &field.element {
                Element::Primitive(primitive) => traits.eq &= !primitive.is_float(),
                Element::String { .. } => traits.copy = false,
                Element::Nested(name) => {
                    for nested in self.interfaces.get(name).into_iter().flat_map(|i| i.structures())
                    {
                        let inner = self.traits(nested);
                        traits.copy &= inner.copy;
                        traits.eq &= inner.eq;
                    }
                }
            }
        }
        traits
    }
}

#[derive(Clone, Copy)]
struct Traits {
    copy: bool,
    eq: bool,
}

fn include(name: &Name) -> String {
    let folder = if name.package == OWN_PACKAGE { "/../" } else { "/definitions/" };
    format!(
        "include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"{folder}{}.{}\"))",
        name.full(),
        name.kind.word()
    )
}

fn doc(out: &mut String, indent: &str, lines: &[String]) {
    for line in lines {
        // Brackets would be read as links.
        let line = line.replace('[', "\\[").replace('<', "\\<").replace('_', "\\_");
        let line = line.trim_end();
        let _ = if line.is_empty() {
            writeln!(out, "{indent}///")
        } else {
            writeln!(out, "{indent}/// {line}")
        };
    }
}

fn ros_type(field: &Field) -> String {
    let element = match &field.element {
        Element::Primitive(Primitive::Byte) => "byte".to_owned(),
        Element::Primitive(primitive) => {
            let rust = primitive.rust();
            match rust.as_bytes()[0] {
                b'i' => rust.replacen('i', "int", 1),
                b'u' => rust.replacen('u', "uint", 1),
                b'f' => rust.replacen('f', "float", 1),
                _ => rust.to_owned(),
            }
        }
        Element::String { bound: None } => "string".to_owned(),
        Element::String { bound: Some(bound) } => format!("string<={bound}"),
        Element::Nested(name) => name.full(),
    };
    match field.shape {
        Shape::Single => element,
        Shape::Array(n) => format!("{element}[{n}]"),
        Shape::Sequence => format!("{element}[]"),
        Shape::BoundedSequence(n) => format!("{element}[<={n}]"),
    }
}

fn rust_type(field: &Field) -> String {
    let element = match &field.element {
        Element::Primitive(primitive) => primitive.rust().to_owned(),
        Element::String { .. } => "std::string::String".to_owned(),
        Element::Nested(name) => rust_path("crate", name),
    };
    match field.shape {
        Shape::Single => element,
        Shape::Array(n) => format!("[{element}; {n}]"),
        Shape::Sequence | Shape::BoundedSequence(_) => format!("Vec<{element}>"),
    }
}

fn serde_attribute(field: &Field) -> Option<String> {
    let bound = match field.element {
        Element::String { bound } => bound,
        _ => None,
    };
    let octets = matches!(&field.element, Element::Primitive(p) if p.is_octet());
    let pair = |module: &str, generics: &str| {
        Some(format!(
            "serialize_with = \"crate::{module}::serialize::<{generics}, _>\", \
             deserialize_with = \"crate::{module}::deserialize::<{generics}, _>\""
        ))
    };
    match (field.shape, bound, octets) {
        (Shape::Single, Some(bound), _) => pair("bounded::string", &bound.to_string()),
        (Shape::Sequence, None, true) => Some("with = \"serde_bytes\"".to_owned()),
        (Shape::BoundedSequence(n), None, true) => pair("bounded::bytes", &n.to_string()),
        (Shape::BoundedSequence(n), None, false) => pair("bounded::sequence", &format!("_, {n}")),
        (Shape::Array(n), None, _) if n > LONGEST_PLAIN_ARRAY => {
            Some("with = \"crate::array\"".to_owned())
        }
        // Sequences of bounded strings: the strings' bound is checked nowhere, as in rmw.
        _ => None,
    }
}

fn identifier(name: &str) -> String {
    match name {
        "type" | "match" | "move" | "ref" | "use" | "loop" | "in" | "as" | "box" | "fn" | "mod"
        | "where" | "while" | "for" | "if" | "else" | "let" | "mut" | "pub" | "static"
        | "struct" | "trait" | "true" | "false" | "enum" | "const" | "continue" | "break"
        | "return" | "unsafe" | "impl" | "dyn" | "async" | "await" | "try" | "gen" | "yield"
        | "do" | "final" | "macro" | "override" | "priv" | "typeof" | "unsized" | "virtual"
        | "abstract" | "become" | "extern" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

fn constant_value(
    structure: &Structure,
    constant: &Constant,
) -> Result<(&'static str, String), Error> {
    let fail = || Error::Value {
        place: format!("{} {}", structure.name.full(), constant.name),
        value: constant.value.clone(),
    };
    match &constant.element {
        Element::Primitive(primitive) => {
            Ok((primitive.rust(), literal(*primitive, &constant.value).ok_or_else(fail)?))
        }
        Element::String { .. } => Ok(("&'static str", format!("{:?}", unquote(&constant.value)))),
        Element::Nested(_) => Err(fail()),
    }
}

fn default_by_hand(out: &mut String, structure: &Structure) -> Result<(), Error> {
    let rust = structure.name.rust();
    let _ = write!(
        out,
        "\n    impl Default for {rust} {{\n        fn default() -> Self {{\n            Self {{\n"
    );
    for field in &structure.fields {
        let value = match &field.default {
            None => match field.shape {
                Shape::Array(_) => "std::array::from_fn(|_| Default::default())".to_owned(),
                _ => "Default::default()".to_owned(),
            },
            Some(text) => default_value(field, text).ok_or_else(|| Error::Value {
                place: format!("{} {}", structure.name.full(), field.name),
                value: text.clone(),
            })?,
        };
        let _ = writeln!(out, "                {}: {value},", identifier(&field.name));
    }
    out.push_str("            }\n        }\n    }\n");
    Ok(())
}

fn default_value(field: &Field, text: &str) -> Option<String> {
    let one = |text: &str| match &field.element {
        Element::Primitive(primitive) => literal(*primitive, text),
        Element::String { .. } => Some(format!("{:?}.to_owned()", unquote(text))),
        Element::Nested(_) => None,
    };
    if field.shape == Shape::Single {
        return one(text);
    }
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let items = split_items(inner).iter().map(|item| one(item)).collect::<Option<Vec<_>>>()?;
    let count = items.len();
    let list = items.join(", ");
    match field.shape {
        Shape::Array(n) => (count == n as usize).then(|| format!("[{list}]")),
        Shape::BoundedSequence(n) if count > n as usize => None,
        _ => Some(format!("vec![{list}]")),
    }
}

/// Items between commas; commas inside quotes belong to the item.
fn split_items(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (None, ',') => {
                items.push(String::new());
                continue;
            }
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        if let Some(item) = items.last_mut() {
            item.push(character);
        }
    }
    items.into_iter().map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect()
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// The Rust literal of a primitive, checked against its range.
fn literal(primitive: Primitive, text: &str) -> Option<String> {
    let text = text.trim();
    match primitive {
        Primitive::Bool => match text {
            "true" | "True" | "1" => Some("true".to_owned()),
            "false" | "False" | "0" => Some("false".to_owned()),
            _ => None,
        },
        Primitive::Float32 | Primitive::Float64 => {
            let value: f64 = text.parse().ok()?;
            value.is_finite().then(|| format!("{value:?}"))
        }
        _ => {
            let (negative, digits) = match text.strip_prefix('-') {
                Some(digits) => (true, digits),
                None => (false, text.strip_prefix('+').unwrap_or(text)),
            };
            let magnitude = if let Some(hex) = digits.strip_prefix("0x") {
                i128::from_str_radix(hex, 16).ok()?
            } else if let Some(binary) = digits.strip_prefix("0b") {
                i128::from_str_radix(binary, 2).ok()?
            } else {
                digits.parse().ok()?
            };
            let value = if negative { -magnitude } else { magnitude };
            let (low, high): (i128, i128) = match primitive {
                Primitive::Int8 => (i8::MIN.into(), i8::MAX.into()),
                Primitive::Int16 => (i16::MIN.into(), i16::MAX.into()),
                Primitive::Uint16 => (0, u16::MAX.into()),
                Primitive::Int32 => (i32::MIN.into(), i32::MAX.into()),
                Primitive::Uint32 => (0, u32::MAX.into()),
                Primitive::Int64 => (i64::MIN.into(), i64::MAX.into()),
                Primitive::Uint64 => (0, u64::MAX.into()),
                _ => (0, u8::MAX.into()),
            };
            (low..=high).contains(&value).then(|| value.to_string())
        }
    }
}
