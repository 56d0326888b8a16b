//! Serde for strings and sequences with a bound: more than the bound is an error both ways.

fn check<E>(length: usize, bound: usize, error: impl FnOnce(String) -> E) -> Result<(), E> {
    if length > bound {
        return Err(error(format!("{length} elements where {bound} are allowed")));
    }
    Ok(())
}

pub(crate) mod string {
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub(crate) fn serialize<const N: usize, S: Serializer>(
        value: &str,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::check(value.len(), N, <S::Error as ser::Error>::custom)?;
        serializer.serialize_str(value)
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<String, D::Error> {
        let value = String::deserialize(deserializer)?;
        super::check(value.len(), N, <D::Error as de::Error>::custom)?;
        Ok(value)
    }
}

pub(crate) mod sequence {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    pub(crate) fn serialize<T: Serialize, const N: usize, S: Serializer>(
        value: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::check(value.len(), N, <S::Error as ser::Error>::custom)?;
        value.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let value = Vec::deserialize(deserializer)?;
        super::check(value.len(), N, <D::Error as de::Error>::custom)?;
        Ok(value)
    }
}
