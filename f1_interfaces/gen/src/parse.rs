//! Reads `.msg`, `.srv` and `.action` text.

use crate::model::{
    Constant, EMPTY_MEMBER, Element, Field, Interface, Kind, Name, Primitive, Shape, Structure,
};

/// What is wrong with a file, and where.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{file}:{line}: {fault}")]
pub struct ParseError {
    /// The interface, `pkg/msg/Name`.
    pub file: String,
    /// Line from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: String,
}

/// Reads one file of `package` named `name` with the extension of `kind`.
///
/// # Errors
/// The first line that is not a field, a constant or a comment.
pub fn parse(package: &str, kind: Kind, name: &str, text: &str) -> Result<Interface, ParseError> {
    let full = Name::new(package, kind, name);
    let parts = split(text);
    let expected = match kind {
        Kind::Msg => 1,
        Kind::Srv => 2,
        Kind::Action => 3,
    };
    if parts.len() != expected {
        return Err(ParseError {
            file: full.full(),
            line: 1,
            fault: format!("has {} parts, not {expected}", parts.len()),
        });
    }
    let part = |index: usize, suffix: &str| {
        let (first_line, text) = &parts[index];
        structure(Name::new(package, kind, &format!("{name}{suffix}")), text, *first_line)
    };
    Ok(match kind {
        Kind::Msg => Interface::Message(part(0, "")?),
        Kind::Srv => Interface::Service {
            name: full,
            request: part(0, "_Request")?,
            response: part(1, "_Response")?,
        },
        Kind::Action => Interface::Action {
            name: full,
            goal: part(0, "_Goal")?,
            result: part(1, "_Result")?,
            feedback: part(2, "_Feedback")?,
        },
    })
}

/// Splits at lines of `---`; each part with the number of its first line.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        if line.trim() == "---" {
            parts.push((index + 2, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}

fn structure(name: Name, text: &str, first_line: usize) -> Result<Structure, ParseError> {
    let mut structure = Structure {
        name,
        fields: Vec::new(),
        constants: Vec::new(),
        comment: Vec::new(),
        text: text.to_owned(),
    };
    let mut above: Vec<String> = Vec::new();
    let mut at_top = true;
    for (index, line) in text.lines().enumerate() {
        let fail = |fault: String| ParseError {
            file: structure.name.full(),
            line: first_line + index,
            fault,
        };
        let (code, comment) = split_comment(line);
        if code.is_empty() {
            match comment {
                Some(comment) => above.push(comment),
                None => {
                    // A comment block ended by an empty line: at the top it is the file's,
                    // elsewhere a heading.
                    if at_top && !above.is_empty() {
                        structure.comment = std::mem::take(&mut above);
                        at_top = false;
                    }
                    above.clear();
                }
            }
            continue;
        }
        at_top = false;
        let mut comments = std::mem::take(&mut above);
        comments.extend(comment);
        match line_of_code(&structure.name.package, &code).map_err(fail)? {
            Line::Field(field) => {
                if structure.fields.iter().any(|f| f.name == field.name) {
                    return Err(fail(format!("field {} stands twice", field.name)));
                }
                structure.fields.push(Field { comment: comments, ..field });
            }
            Line::Constant(constant) => {
                structure.constants.push(Constant { comment: comments, ..constant })
            }
        }
    }
    if structure.fields.is_empty() {
        structure.fields.push(Field {
            name: EMPTY_MEMBER.to_owned(),
            element: Element::Primitive(Primitive::Uint8),
            shape: Shape::Single,
            default: None,
            comment: vec![
                "Not in the file: it stands on the wire because IDL has no empty structure."
                    .to_owned(),
            ],
        });
    }
    Ok(structure)
}

/// Code and comment of one line. A `#` inside quotes is code.
fn split_comment(line: &str) -> (String, Option<String>) {
    let mut quote = None;
    for (position, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => {
                let comment = line[position..].trim_start_matches('#').trim().to_owned();
                return (line[..position].trim().to_owned(), Some(comment));
            }
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    (line.trim().to_owned(), None)
}

enum Line {
    Field(Field),
    Constant(Constant),
}

fn line_of_code(package: &str, code: &str) -> Result<Line, String> {
    let (type_text, rest) = code
        .split_once(char::is_whitespace)
        .ok_or_else(|| format!("`{code}` has a type but no name"))?;
    let rest = rest.trim();
    let (element, shape) = field_type(package, type_text)?;
    // A constant has `=` right after the name; `<=` belongs to types only, which have no spaces.
    let name_end =
        rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let (name, tail) = rest.split_at(name_end);
    let tail = tail.trim();
    if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(format!("`{rest}` does not begin with a name"));
    }
    if let Some(value) = tail.strip_prefix('=') {
        if shape != Shape::Single || matches!(element, Element::Nested(_)) {
            return Err(format!("constant {name} must be a primitive or a string"));
        }
        return Ok(Line::Constant(Constant {
            name: name.to_owned(),
            element,
            value: value.trim().to_owned(),
            comment: Vec::new(),
        }));
    }
    if name.chars().any(|c| c.is_ascii_uppercase()) {
        return Err(format!("field {name} must be in lower case"));
    }
    if !tail.is_empty() && matches!(element, Element::Nested(_)) {
        return Err(format!("field {name} is a structure and can have no default"));
    }
    Ok(Line::Field(Field {
        name: name.to_owned(),
        element,
        shape,
        default: (!tail.is_empty()).then(|| tail.to_owned()),
        comment: Vec::new(),
    }))
}

fn field_type(package: &str, text: &str) -> Result<(Element, Shape), String> {
    let number = |digits: &str| {
        digits
            .parse::<u32>()
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| format!("`{digits}` in `{text}` is no size"))
    };
    let (base, shape) = match text.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
        None => (text, Shape::Single),
        Some((base, "")) => (base, Shape::Sequence),
        Some((base, size)) => match size.strip_prefix("<=") {
            Some(bound) => (base, Shape::BoundedSequence(number(bound)?)),
            None => (base, Shape::Array(number(size)?)),
        },
    };
    let element = if let Some(primitive) = Primitive::named(base) {
        Element::Primitive(primitive)
    } else if base == "string" {
        Element::String { bound: None }
    } else if let Some(bound) = base.strip_prefix("string<=") {
        Element::String { bound: Some(number(bound)?) }
    } else if base.starts_with("wstring") {
        return Err("wstring has no Rust type here: no interface that we use holds one".to_owned());
    } else {
        Element::Nested(nested_name(package, base)?)
    };
    Ok((element, shape))
}

fn nested_name(package: &str, text: &str) -> Result<Name, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let (package, name) = match parts[..] {
        ["Header"] => ("std_msgs", "Header"),
        [name] => (package, name),
        [package, name] | [package, "msg", name] => (package, name),
        _ => return Err(format!("`{text}` is no type")),
    };
    if !name.starts_with(|c: char| c.is_ascii_uppercase())
        || !name.chars().all(|c| c.is_ascii_alphanumeric())
    {
        return Err(format!("`{text}` is no type"));
    }
    Ok(Name::new(package, Kind::Msg, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Structure {
        match parse("p", Kind::Msg, "M", text) {
            Ok(Interface::Message(structure)) => structure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fields_constants_defaults_and_bounds_are_distinguished() {
        let m = message(
            "int32 A=-3\nstring<=10 s \"a # b\" # why\nfloat64[4] q [0, 0, 0, 1]\nPoint[<=2] p\nuint8[] d\n",
        );
        assert_eq!(m.constants[0].value, "-3");
        assert_eq!(m.fields[0].element, Element::String { bound: Some(10) });
        assert_eq!(m.fields[0].default.as_deref(), Some("\"a # b\""));
        assert_eq!(m.fields[0].comment, ["why"]);
        assert_eq!(m.fields[1].shape, Shape::Array(4));
        assert_eq!(m.fields[1].default.as_deref(), Some("[0, 0, 0, 1]"));
        assert_eq!(m.fields[2].shape, Shape::BoundedSequence(2));
        assert_eq!(m.fields[2].element, Element::Nested(Name::new("p", Kind::Msg, "Point")));
        assert_eq!(m.fields[3].shape, Shape::Sequence);
    }

    #[test]
    fn an_empty_message_gets_the_member_that_idl_needs() {
        let m = message("# nothing\n");
        assert_eq!(m.fields[0].name, EMPTY_MEMBER);
    }

    #[test]
    fn a_fault_is_named_with_its_line() {
        let fault =
            |kind, text| parse("p", kind, "M", text).map(|_| ()).map_err(|e| (e.line, e.fault));
        assert_eq!(fault(Kind::Srv, "int8 a\n---\nint8 b\nwstring c\n").map_err(|e| e.0), Err(4));
        assert!(fault(Kind::Msg, "int8\n").is_err());
        assert!(fault(Kind::Msg, "int8 a\nint8 a\n").is_err());
        assert!(fault(Kind::Msg, "int8[0] a\n").is_err());
        assert!(fault(Kind::Msg, "int8 BadCase\n").is_err());
        assert!(fault(Kind::Msg, "foo/bar/baz/Q a\n").is_err());
        assert!(fault(Kind::Srv, "int8 a\n").is_err());
    }
}
