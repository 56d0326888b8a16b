//! Random values of any message, the same for the same seed on every machine: for tests, benchmarks
//! and fuzzing.

use std::fmt;

use serde::de::{self, DeserializeSeed, SeqAccess, Visitor};

use crate::Message;

/// The longest sequence of anything but bytes.
const LONGEST_SEQUENCE: u64 = 3;

/// The longest string of bytes, and the longest text in characters.
const LONGEST_BYTES: u64 = 24;

/// A value in which every field is drawn from `seed`: numbers of every size, all finite; texts
/// without NUL; sequences of 0 to 3 elements, strings of 0 to 24 bytes.
pub fn value<T: Message>(seed: u64) -> T {
    let mut source = Source { state: seed };
    // A draw fails when it exceeds a bound of the type; that is rare, so a few hundred draws always
    // hold a good one.
    for _ in 0..1000 {
        if let Ok(value) = T::deserialize(&mut source) {
            return value;
        }
    }
    T::default()
}

/// SplitMix64, dressed as a serde format that has every value.
struct Source {
    state: u64,
}

impl Source {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Small numbers as often as large ones.
    fn integer(&mut self) -> u64 {
        let shift = self.below(64);
        self.next() >> shift
    }

    fn float(&mut self) -> f64 {
        if self.below(8) == 0 {
            return 0.0;
        }
        let mantissa = self.next() as i64 as f64 / i64::MAX as f64;
        mantissa * 10f64.powi(self.below(40) as i32 - 20)
    }

    fn text(&mut self) -> String {
        let length = self.below(LONGEST_BYTES + 1);
        (0..length)
            .map(|_| match self.below(8) {
                0 => ['ä', '関', '🤖', '"', '\\', '\n'][self.below(6) as usize],
                _ => char::from(b' ' + self.below(95) as u8),
            })
            .collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(LONGEST_BYTES + 1);
        (0..length).map(|_| self.next() as u8).collect()
    }
}

/// A draw that the type refused.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the draw exceeds a bound of the type")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Refused {
        Refused
    }
}

struct Elements<'a> {
    source: &'a mut Source,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.source).map(Some)
    }
}

macro_rules! integers {
    ($($method:ident, $visit:ident, $type:ty;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            visitor.$visit(self.integer() as $type)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Source {
    type Error = Refused;

    integers! {
        deserialize_i8, visit_i8, i8;
        deserialize_u8, visit_u8, u8;
        deserialize_i16, visit_i16, i16;
        deserialize_u16, visit_u16, u16;
        deserialize_i32, visit_i32, i32;
        deserialize_u32, visit_u32, u32;
        deserialize_i64, visit_i64, i64;
        deserialize_u64, visit_u64, u64;
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        // Messages always say what they are.
        Err(Refused)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_bool(self.below(2) == 1)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f32(self.float() as f32)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_f64(self.float())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_string(self.text())
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_byte_buf(self.bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_byte_buf(self.bytes())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let left = self.below(LONGEST_SEQUENCE + 1) as usize;
        visitor.visit_seq(Elements { source: self, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_seq(Elements { source: self, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let left = fields.len();
        visitor.visit_seq(Elements { source: self, left })
    }

    serde::forward_to_deserialize_any! {
        char option unit unit_struct newtype_struct tuple_struct map enum identifier ignored_any
    }
}
