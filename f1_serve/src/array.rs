//! Arrays of numbers as NumPy writes them: a dtype, a shape, and bytes in C order.
//!
//! Two dialects differ in the maps that hold them. `openpi-client` writes maps whose keys are
//! *binary* (`b"__ndarray__"`, `b"data"`, `b"dtype"`, `b"shape"`), and scalars as
//! `b"__npgeneric__"`; `vla-eval` writes text keys and, for images, `"__image__"` with PNG, JPEG or
//! raw bytes. Objects, structures and complex numbers are refused, and nothing is ever unpickled.

use image::RgbImage;
use rmpv::Value;

/// The client whose way of writing arrays is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `openpi-client`: binary keys.
    Openpi,
    /// `vla-eval`: text keys.
    VlaEval,
}

impl Dialect {
    fn key(self, name: &str) -> Value {
        match self {
            Dialect::Openpi => Value::Binary(name.as_bytes().to_vec()),
            Dialect::VlaEval => Value::from(name),
        }
    }

    fn is_key(self, key: &Value, name: &str) -> bool {
        match (self, key) {
            (Dialect::Openpi, Value::Binary(bytes)) => bytes == name.as_bytes(),
            (Dialect::VlaEval, Value::String(text)) => text.as_str() == Some(name),
            _ => false,
        }
    }

    /// The entry of a map under a marker key (`__ndarray__`, `data`, ...).
    fn get<'a>(self, map: &'a [(Value, Value)], name: &str) -> Option<&'a Value> {
        map.iter().find(|(key, _)| self.is_key(key, name)).map(|(_, value)| value)
    }
}

/// A kind of number, without its byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Int(usize),
    Uint(usize),
    Float(usize),
}

/// A NumPy dtype of plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dtype {
    kind: Kind,
    big_endian: bool,
}

impl Dtype {
    /// Reads `<f4`, `|u1`, `>i8`, `=f8`.
    fn parse(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "dtype {text:?}: plain numbers are taken (bool, int, uint, float), no objects, \
                 structures, complex numbers or strings"
            )
        };
        let (order, rest) = match text.split_at_checked(1) {
            Some((order @ ("<" | ">" | "|" | "="), rest)) => (order, rest),
            _ => ("=", text),
        };
        let (letter, size) = rest.split_at_checked(1).ok_or_else(refused)?;
        let size: usize = size.parse().map_err(|_| refused())?;
        let kind = match (letter, size) {
            ("b", 1) => Kind::Bool,
            ("i", 1 | 2 | 4 | 8) => Kind::Int(size),
            ("u", 1 | 2 | 4 | 8) => Kind::Uint(size),
            ("f", 2 | 4 | 8) => Kind::Float(size),
            _ => return Err(refused()),
        };
        let native_big = cfg!(target_endian = "big");
        Ok(Self { kind, big_endian: order == ">" || (order == "=" && native_big) })
    }

    fn size(self) -> usize {
        match self.kind {
            Kind::Bool => 1,
            Kind::Int(size) | Kind::Uint(size) | Kind::Float(size) => size,
        }
    }

    /// One number from its bytes.
    fn read(self, bytes: &[u8]) -> f64 {
        let mut wide = [0u8; 8];
        let size = bytes.len().min(8);
        for (index, byte) in bytes.iter().take(8).enumerate() {
            wide[if self.big_endian { size - 1 - index } else { index }] = *byte;
        }
        let bits = u64::from_le_bytes(wide);
        match self.kind {
            Kind::Bool => f64::from(u8::from(bits != 0)),
            Kind::Uint(_) => bits as f64,
            Kind::Int(size) => {
                let shift = 64 - 8 * size as u32;
                (((bits << shift) as i64) >> shift) as f64
            }
            Kind::Float(2) => half_to_f64(bits as u16),
            Kind::Float(4) => f64::from(f32::from_bits(bits as u32)),
            Kind::Float(_) => f64::from_bits(bits),
        }
    }
}

/// IEEE 754 binary16 as a wider number.
fn half_to_f64(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((bits >> 10) & 0x1f);
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    match exponent {
        0 => sign * fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction) * 2f64.powi(exponent - 15),
    }
}

/// An array, as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Array {
    /// An array of `f32` in C order.
    ///
    /// # Errors
    /// Not as many numbers as the shape says.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Self, String> {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(Dtype { kind: Kind::Float(4), big_endian: false }, shape, data)
    }

    /// An array of bytes in C order.
    ///
    /// # Errors
    /// Not as many bytes as the shape says.
    pub fn from_u8(shape: Vec<usize>, data: Vec<u8>) -> Result<Self, String> {
        Self::new(Dtype { kind: Kind::Uint(1), big_endian: false }, shape, data)
    }

    fn new(dtype: Dtype, shape: Vec<usize>, data: Vec<u8>) -> Result<Self, String> {
        let bytes =
            shape.iter().try_fold(dtype.size(), |product, extent| product.checked_mul(*extent));
        if bytes != Some(data.len()) {
            return Err(format!(
                "{} bytes of data for shape {shape:?} with {} bytes a number",
                data.len(),
                dtype.size()
            ));
        }
        Ok(Self { dtype, shape, data })
    }

    /// Extents, outermost first.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many numbers there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.data.len() / self.dtype.size()
    }

    /// The bytes, in C order.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Whether its numbers are unsigned bytes.
    #[must_use]
    pub fn is_u8(&self) -> bool {
        self.dtype.kind == Kind::Uint(1)
    }

    /// All numbers, in C order.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        self.data.chunks_exact(self.dtype.size()).map(|bytes| self.dtype.read(bytes)).collect()
    }

    /// An image, `[height, width, channels]` of unsigned bytes with 1, 3 or 4 channels: grey is
    /// repeated, transparency is dropped.
    ///
    /// # Errors
    /// Another shape or dtype, or no pixels.
    pub fn to_image(&self) -> Result<RgbImage, String> {
        let &[height, width, channels] = self.shape.as_slice() else {
            return Err(format!("shape {:?}, not [height, width, channels]", self.shape));
        };
        if !self.is_u8() || !matches!(channels, 1 | 3 | 4) || height == 0 || width == 0 {
            return Err(format!(
                "shape {:?}{}: an image is uint8 [height, width, 3] (or 1 or 4 channels)",
                self.shape,
                if self.is_u8() { "" } else { " of another dtype than uint8" }
            ));
        }
        let pixels = self.data.chunks_exact(channels).flat_map(|pixel| match *pixel {
            [grey] => [grey; 3],
            [red, green, blue, ..] => [red, green, blue],
            _ => [0; 3],
        });
        let (wide, high) = (u32::try_from(width), u32::try_from(height));
        match (wide, high) {
            (Ok(wide), Ok(high)) => RgbImage::from_raw(wide, high, pixels.collect())
                .ok_or_else(|| format!("an image of {width}x{height}")),
            _ => Err(format!("an image of {width}x{height}")),
        }
    }

    /// Reads an array, a scalar or (in vla-eval's dialect) an encoded image; `None` where the
    /// value is something else. Plain lists of numbers are arrays too.
    ///
    /// # Errors
    /// A map that announces an array and holds none, a dtype that is refused, an image that does
    /// not decode.
    pub fn read(value: &Value, dialect: Dialect) -> Result<Option<Self>, String> {
        match value {
            Value::Map(map) if dialect.get(map, "__ndarray__").is_some() => {
                Self::of_map(map, dialect).map(Some)
            }
            Value::Map(map) if dialect.get(map, "__npgeneric__").is_some() => {
                let number = dialect.get(map, "data").and_then(number);
                let number = number.ok_or("a scalar without a number in data")?;
                Dtype::parse(text(dialect.get(map, "dtype"))?)?;
                Self::of_numbers(vec![], &[number]).map(Some)
            }
            Value::Map(map)
                if dialect == Dialect::VlaEval && dialect.get(map, "__image__").is_some() =>
            {
                Self::of_encoded(map, dialect).map(Some)
            }
            Value::Array(list) => {
                let numbers: Option<Vec<f64>> = list.iter().map(number).collect();
                numbers.map(|numbers| Self::of_numbers(vec![numbers.len()], &numbers)).transpose()
            }
            other => number(other).map(|one| Self::of_numbers(vec![], &[one])).transpose(),
        }
    }

    fn of_numbers(shape: Vec<usize>, numbers: &[f64]) -> Result<Self, String> {
        let data = numbers.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::new(Dtype { kind: Kind::Float(8), big_endian: false }, shape, data)
    }

    fn of_map(map: &[(Value, Value)], dialect: Dialect) -> Result<Self, String> {
        let dtype = Dtype::parse(text(dialect.get(map, "dtype"))?)?;
        let shape = match dialect.get(map, "shape") {
            Some(Value::Array(list)) => {
                list.iter().map(|extent| extent.as_u64().and_then(|n| usize::try_from(n).ok()))
            }
            _ => return Err("an array without shape".into()),
        };
        let shape: Option<Vec<usize>> = shape.collect();
        let shape = shape.ok_or("an array whose shape is no list of extents")?;
        if shape.len() > 8 {
            return Err(format!("an array with {} dimensions", shape.len()));
        }
        match dialect.get(map, "data") {
            Some(Value::Binary(data)) => Self::new(dtype, shape, data.clone()),
            _ => Err("an array without bytes in data".into()),
        }
    }

    fn of_encoded(map: &[(Value, Value)], dialect: Dialect) -> Result<Self, String> {
        if text(dialect.get(map, "format"))? == "raw" {
            return Self::of_map(map, dialect);
        }
        let Some(Value::Binary(data)) = dialect.get(map, "data") else {
            return Err("an image without bytes in data".into());
        };
        let mut reader = image::ImageReader::new(std::io::Cursor::new(data))
            .with_guessed_format()
            .map_err(|error| error.to_string())?;
        let mut limits = image::Limits::default();
        limits.max_image_width = Some(MAX_IMAGE_SIDE);
        limits.max_image_height = Some(MAX_IMAGE_SIDE);
        reader.limits(limits);
        let decoded = reader.decode().map_err(|error| format!("an image: {error}"))?.to_rgb8();
        let shape = vec![decoded.height() as usize, decoded.width() as usize, 3];
        Self::from_u8(shape, decoded.into_raw())
    }

    /// The array as a map of the dialect.
    #[must_use]
    pub fn write(&self, dialect: Dialect) -> Value {
        let order = match (self.dtype.size(), self.dtype.big_endian) {
            (1, _) => '|',
            (_, false) => '<',
            (_, true) => '>',
        };
        let (letter, size) = match self.dtype.kind {
            Kind::Bool => ('b', 1),
            Kind::Int(size) => ('i', size),
            Kind::Uint(size) => ('u', size),
            Kind::Float(size) => ('f', size),
        };
        let shape = self.shape.iter().map(|extent| Value::from(*extent as u64)).collect();
        Value::Map(vec![
            (dialect.key("__ndarray__"), Value::Boolean(true)),
            (dialect.key("data"), Value::Binary(self.data.clone())),
            (dialect.key("dtype"), Value::from(format!("{order}{letter}{size}"))),
            (dialect.key("shape"), Value::Array(shape)),
        ])
    }
}

/// Largest side of an encoded image, pixels.
const MAX_IMAGE_SIDE: u32 = 8192;

/// A number, as msgpack has them.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Boolean(truth) => Some(f64::from(u8::from(*truth))),
        other => other.as_f64(),
    }
}

fn text(value: Option<&Value>) -> Result<&str, String> {
    match value {
        Some(Value::String(text)) => text.as_str().ok_or_else(|| "text that is not UTF-8".into()),
        Some(Value::Binary(bytes)) => {
            std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8".into())
        }
        _ => Err("an array without dtype".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(dialect: Dialect, dtype: &str, shape: &[u64], data: &[u8]) -> Value {
        Value::Map(vec![
            (dialect.key("__ndarray__"), Value::Boolean(true)),
            (dialect.key("data"), Value::Binary(data.to_vec())),
            (dialect.key("dtype"), Value::from(dtype)),
            (dialect.key("shape"), Value::Array(shape.iter().map(|n| Value::from(*n)).collect())),
        ])
    }

    /// Bytes as NumPy writes them: `np.array([..], dtype).tobytes()`.
    #[test]
    fn every_plain_dtype_reads_as_its_number() {
        let cases: [(&str, &[u8], f64); 14] = [
            ("|b1", &[1], 1.0),
            ("|i1", &[0xfe], -2.0),
            ("|u1", &[200], 200.0),
            ("<i2", &[0x18, 0xfc], -1000.0),
            (">i2", &[0xfc, 0x18], -1000.0),
            ("<u2", &[0x60, 0xea], 60000.0),
            ("<i4", &[0xff, 0xff, 0xff, 0xff], -1.0),
            ("<u4", &[0xff, 0xff, 0xff, 0xff], 4294967295.0),
            ("<i8", &[0xfe, 255, 255, 255, 255, 255, 255, 255], -2.0),
            ("<f2", &[0x00, 0xc1], -2.5),
            ("<f4", &[0x00, 0x00, 0x20, 0xc0], -2.5),
            (">f4", &[0xc0, 0x20, 0x00, 0x00], -2.5),
            ("<f8", &[0, 0, 0, 0, 0, 0, 0x04, 0xc0], -2.5),
            (">f8", &[0xc0, 0x04, 0, 0, 0, 0, 0, 0], -2.5),
        ];
        for (dtype, bytes, value) in cases {
            for dialect in [Dialect::Openpi, Dialect::VlaEval] {
                let array = Array::read(&map(dialect, dtype, &[1], bytes), dialect);
                assert_eq!(array.unwrap().unwrap().to_f64(), [value], "{dtype}");
            }
        }
    }

    #[test]
    fn objects_structures_complex_numbers_and_strings_are_refused() {
        for dtype in ["|O", "|V8", "<c8", "<U4", "|S3", "f4x", "", "<", "<f3", "\u{e9}4"] {
            let value = map(Dialect::Openpi, dtype, &[1], &[0; 8]);
            let fault = Array::read(&value, Dialect::Openpi).unwrap_err();
            assert!(fault.contains("dtype"), "{dtype}: {fault}");
        }
    }

    #[test]
    fn a_shape_that_is_not_the_data_is_refused() {
        for shape in [&[3u64][..], &[u64::MAX, u64::MAX], &[0], &[1 << 62, 4]] {
            let value = map(Dialect::Openpi, "<f4", shape, &[0; 8]);
            assert!(Array::read(&value, Dialect::Openpi).is_err(), "{shape:?}");
        }
    }

    #[test]
    fn each_dialect_takes_its_own_keys_only() {
        let value = map(Dialect::VlaEval, "<f4", &[1], &[0; 4]);
        assert_eq!(Array::read(&value, Dialect::Openpi), Ok(None));
        let value = map(Dialect::Openpi, "<f4", &[1], &[0; 4]);
        assert_eq!(Array::read(&value, Dialect::VlaEval), Ok(None));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let array = Array::from_f32(vec![2, 2], &[1.0, -2.0, 3.5, 0.0]).unwrap();
        for dialect in [Dialect::Openpi, Dialect::VlaEval] {
            assert_eq!(Array::read(&array.write(dialect), dialect), Ok(Some(array.clone())));
        }
    }

    #[test]
    fn scalars_and_lists_of_numbers_are_arrays() {
        let dialect = Dialect::Openpi;
        let scalar = Value::Map(vec![
            (dialect.key("__npgeneric__"), Value::Boolean(true)),
            (dialect.key("data"), Value::from(0.5)),
            (dialect.key("dtype"), Value::from("<f4")),
        ]);
        assert_eq!(Array::read(&scalar, dialect).unwrap().unwrap().to_f64(), [0.5]);
        let list = Value::Array(vec![Value::from(1), Value::from(2.5)]);
        assert_eq!(Array::read(&list, dialect).unwrap().unwrap().to_f64(), [1.0, 2.5]);
    }

    #[test]
    fn a_png_of_vla_eval_is_an_image() {
        let shown = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        shown.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        let value = Value::Map(vec![
            (Value::from("__image__"), Value::Boolean(true)),
            (Value::from("format"), Value::from("png")),
            (Value::from("data"), Value::Binary(bytes.into_inner())),
            (Value::from("shape"), Value::Array(vec![3.into(), 5.into(), 3.into()])),
        ]);
        let array = Array::read(&value, Dialect::VlaEval).unwrap().unwrap();
        assert_eq!(array.to_image().unwrap(), shown);
    }

    #[test]
    fn grey_and_transparent_images_become_colour() {
        let grey = Array::from_u8(vec![1, 2, 1], vec![5, 9]).unwrap().to_image().unwrap();
        assert_eq!(grey.as_raw(), &[5, 5, 5, 9, 9, 9]);
        let alpha = Array::from_u8(vec![1, 1, 4], vec![1, 2, 3, 4]).unwrap().to_image().unwrap();
        assert_eq!(alpha.as_raw(), &[1, 2, 3]);
        for shape in [vec![2], vec![1, 1, 2], vec![0, 4, 3]] {
            let size = shape.iter().product();
            assert!(Array::from_u8(shape, vec![0; size]).unwrap().to_image().is_err());
        }
    }
}
