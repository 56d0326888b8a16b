//! YAML as parameters are written in it: scalars with ROS's typing, lists of one kind, nested maps
//! as dotted names.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::value::Value;

/// A YAML document with the order of its keys kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Integer(i64),
    Double(f64),
    String(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Yaml, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Yaml;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
                Ok(Yaml::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
                Ok(Yaml::Integer(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Yaml, E> {
                i64::try_from(value)
                    .map(Yaml::Integer)
                    .map_err(|_| E::custom("integer above 2^63 - 1"))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Yaml, E> {
                Ok(Yaml::Double(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
                Ok(Yaml::String(value.to_owned()))
            }

            fn visit_string<E>(self, value: String) -> Result<Yaml, E> {
                Ok(Yaml::String(value))
            }

            fn visit_unit<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_none<E>(self) -> Result<Yaml, E> {
                Ok(Yaml::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
                Yaml::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Yaml::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry::<Yaml, Yaml>()? {
                    entries.push((entry.0.into_key().map_err(serde::de::Error::custom)?, entry.1));
                }
                Ok(Yaml::Map(entries))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

impl Yaml {
    /// Parses one document.
    pub(crate) fn parse(text: &str) -> Result<Yaml, String> {
        let options = serde_saphyr::options! {
            non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::PassThrough,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    }

    fn into_key(self) -> Result<String, String> {
        match self {
            Yaml::String(key) => Ok(key),
            Yaml::Integer(key) => Ok(key.to_string()),
            Yaml::Bool(key) => Ok(key.to_string()),
            _ => Err("a key must be a name".to_owned()),
        }
    }

    /// The value of a parameter. A list must be of one kind; integers beside doubles become
    /// doubles.
    pub(crate) fn into_value(self) -> Result<Value, String> {
        Ok(match self {
            Yaml::Null => Value::NotSet,
            Yaml::Bool(value) => Value::Bool(value),
            Yaml::Integer(value) => Value::Integer(value),
            Yaml::Double(value) => Value::Double(value),
            Yaml::String(value) => Value::String(value),
            Yaml::List(items) => list(items)?,
            Yaml::Map(_) => return Err("a map is not a parameter value".to_owned()),
        })
    }

    /// The parameters below this map, nested maps joined with dots, in file order.
    pub(crate) fn into_parameters(
        self,
        prefix: &str,
        into: &mut Vec<(String, Value)>,
    ) -> Result<(), String> {
        match self {
            Yaml::Map(entries) => {
                for (key, value) in entries {
                    let name = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
                    value.into_parameters(&name, into)?;
                }
                Ok(())
            }
            Yaml::Null if prefix.is_empty() => Ok(()),
            value => {
                let value = value.into_value().map_err(|reason| format!("{prefix}: {reason}"))?;
                into.push((prefix.to_owned(), value));
                Ok(())
            }
        }
    }
}

fn list(items: Vec<Yaml>) -> Result<Value, String> {
    let mixed = || "a list must hold values of one kind: booleans, numbers or texts".to_owned();
    match items.first() {
        // YAML does not say what kind an empty list has; `Value::coerce` adapts it to the
        // declaration.
        None => Ok(Value::Strings(Vec::new())),
        Some(Yaml::Bool(_)) => items
            .into_iter()
            .map(|item| if let Yaml::Bool(value) = item { Ok(value) } else { Err(mixed()) })
            .collect::<Result<_, _>>()
            .map(Value::Bools),
        Some(Yaml::String(_)) => items
            .into_iter()
            .map(|item| if let Yaml::String(value) = item { Ok(value) } else { Err(mixed()) })
            .collect::<Result<_, _>>()
            .map(Value::Strings),
        Some(Yaml::Integer(_)) if items.iter().all(|item| matches!(item, Yaml::Integer(_))) => {
            items
                .into_iter()
                .map(|item| if let Yaml::Integer(value) = item { Ok(value) } else { Err(mixed()) })
                .collect::<Result<_, _>>()
                .map(Value::Integers)
        }
        Some(Yaml::Integer(_) | Yaml::Double(_)) => items
            .into_iter()
            .map(|item| match item {
                Yaml::Integer(value) => Ok(value as f64),
                Yaml::Double(value) => Ok(value),
                _ => Err(mixed()),
            })
            .collect::<Result<_, _>>()
            .map(Value::Doubles),
        Some(_) => Err(mixed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        Yaml::parse(text)?.into_value()
    }

    #[test]
    fn scalars_are_typed_as_in_ros() {
        assert_eq!(value("true"), Ok(Value::Bool(true)));
        assert_eq!(value("-3"), Ok(Value::Integer(-3)));
        assert_eq!(value("3.0"), Ok(Value::Double(3.0)));
        assert_eq!(value("1e3"), Ok(Value::Double(1000.0)));
        assert_eq!(value("hello world"), Ok(Value::String("hello world".into())));
        assert_eq!(value("'12'"), Ok(Value::String("12".into())));
        assert_eq!(value(".inf"), Ok(Value::Double(f64::INFINITY)));
    }

    #[test]
    fn lists_are_of_one_kind() {
        assert_eq!(value("[1, 2]"), Ok(Value::Integers(vec![1, 2])));
        assert_eq!(value("[1, 2.5]"), Ok(Value::Doubles(vec![1.0, 2.5])));
        assert_eq!(value("[a, b]"), Ok(Value::Strings(vec!["a".into(), "b".into()])));
        assert_eq!(value("[true, false]"), Ok(Value::Bools(vec![true, false])));
        assert!(value("[1, a]").is_err());
        assert!(value("[[1], [2]]").is_err());
        assert!(value("{a: 1}").is_err());
    }

    #[test]
    fn nested_maps_become_dotted_names() {
        let mut found = Vec::new();
        Yaml::parse("a: {b: {c: 1}, d: x}\ne: [1.0]")
            .unwrap()
            .into_parameters("", &mut found)
            .unwrap();
        assert_eq!(
            found,
            vec![
                ("a.b.c".to_owned(), Value::Integer(1)),
                ("a.d".to_owned(), Value::String("x".into())),
                ("e".to_owned(), Value::Doubles(vec![1.0]))
            ]
        );
    }
}
